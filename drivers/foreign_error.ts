/**
 * Reads errors of clients and runtimes. They may be anything, so only known parts of them are read.
 *
 * @module
 */

/**
 * Matches codes of runtimes and clients: `ECONNRESET`, `ERR_TLS_CERT_ALTNAME_INVALID`,
 * `CONNECTION_CLOSED`.
 */
export const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/** Returns a member of a value that is a text; `null` if there is none. */
export function textMember(value: unknown, name: string): string | null {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "string" ? found : null;
}

/**
 * Names an error without its message, which may contain data.
 *
 * @module
 */

import { ParleyError, quote } from "./parley_error.ts";

/** The most causes that a summary names. */
const MAX_CAUSES = 3;

/** Names of classes. */
const NAME = /^[A-Za-z_$][\w$.]{0,59}$/;

/** Codes that are words, such as `ECONNRESET`, `ERR_INVALID_URL` and `card_declined`. Others may be data. */
const CODE = /^(?=.{1,60}$)(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*|[a-z]+(?:[_.-][a-z]+)*)$/;

/**
 * Names an error and its causes, as in `PaymentError (card_declined), caused by TypeError`. It shows
 * names, codes, and the IDs of workflows in Parley's own errors. Returns `null` if there is nothing
 * to tell, as for a plain `Error`.
 */
export function summarizeError(error: unknown): string | null {
  const names: string[] = [];
  for (let it = error; it !== undefined && names.length <= MAX_CAUSES; it = read(it, "cause")) names.push(nameOf(it));
  const summary = names.join(", caused by ");
  return summary === "Error" || summary === "" ? null : summary;
}

function nameOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return `a thrown ${error === null ? "null" : typeof error}`;
  const [name, code, workflowId] = ["name", "code", "workflowId"].map((key) => read(error, key));
  const known = typeof name === "string" && NAME.test(name) ? name : "Error";
  if (isParleyError(error)) return typeof workflowId === "string" ? `${known} of workflow ${quote(workflowId)}` : known;
  return typeof code === "string" && CODE.test(code) ? `${known} (${code})` : known;
}

/** Reads a field of a thrown value. A getter or a proxy may throw. */
function read(error: unknown, key: string): unknown {
  try {
    return typeof error === "object" && error !== null ? Reflect.get(error, key) : undefined;
  } catch {
    return undefined;
  }
}

function isParleyError(error: object): boolean {
  try {
    return error instanceof ParleyError;
  } catch {
    return false;
  }
}

/**
 * Where database clients keep the code of an error.
 *
 * @module
 */

/** What was found in an error. */
export interface FoundCode {
  /** Five characters of the SQL standard, as the server sent them; `null` where there are none. */
  readonly sqlState: string | null;
  /** The first code of the runtime or the client, as in `ECONNRESET`; `null` where there is none. */
  readonly systemCode: string | null;
  /** The object that has the SQLSTATE. */
  readonly holder: unknown;
}

/**
 * A five-character code of the SQL standard. Codes of the system, as in `EPIPE`, have no digit, and Prisma's own, as in `P2010`, are of no class
 * of PostgreSQL.
 */
const SQLSTATE = /^(?=.*\d)(?!P[1-9])[0-9A-Z]{5}$/;

/** A code as runtimes and clients give them: `ECONNRESET`, `ERR_TLS_CERT_ALTNAME_INVALID`, `CONNECTION_CLOSED`. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/** Members that may be the code. Bun has the SQLSTATE in `errno`, and `ERR_POSTGRES_SERVER_ERROR` in `code`; Prisma has `originalCode`. */
const CODES = ["code", "errno", "sqlState", "originalCode"];

/**
 * Members that may be the error with the code: `fields` of deno-postgres, `cause` of Drizzle and Prisma, `parent` and `original` of Sequelize, `driverError`
 * of TypeORM, `meta` and `driverAdapterError` of Prisma's client.
 */
const HOLDERS = ["cause", "fields", "parent", "original", "originalError", "driverError", "meta", "driverAdapterError"];

/** How many errors are looked at: they may hold each other. */
const MAX_ERRORS = 20;

/** Looks for codes in an error and in what it holds, the outermost first. */
export function findCode(error: unknown): FoundCode {
  const holders: unknown[] = [error];
  let systemCode: string | null = null;
  for (let index = 0; index < Math.min(holders.length, MAX_ERRORS); index++) {
    const holder = holders[index];
    if (typeof holder !== "object" || holder === null) continue;
    for (const name of CODES) {
      const code = Reflect.get(holder, name);
      if (typeof code !== "string") continue;
      if (SQLSTATE.test(code)) return { sqlState: code, systemCode, holder };
      if (SYSTEM_CODE.test(code)) systemCode ??= code;
    }
    holders.push(...HOLDERS.map((name) => Reflect.get(holder, name)).filter((it) => !holders.includes(it)));
  }
  return { sqlState: null, systemCode, holder: error };
}

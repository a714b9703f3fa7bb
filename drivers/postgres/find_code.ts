/**
 * Finds the code of an error, which each database client keeps in another place.
 *
 * @module
 */

import { SYSTEM_CODE } from "../foreign_error.ts";

/** The codes that were found in an error. */
export interface FoundCode {
  /** The SQLSTATE that the server sent, five characters; `null` if there is none. */
  readonly sqlState: string | null;
  /** The first code of the runtime or the client, such as `ECONNRESET`; `null` if there is none. */
  readonly systemCode: string | null;
  /** The object that has the SQLSTATE. */
  readonly holder: unknown;
}

/**
 * Matches an SQLSTATE. Codes of the system, such as `EPIPE`, have no digit. Prisma's own codes,
 * such as `P2010`, belong to no class of PostgreSQL.
 */
const SQLSTATE = /^(?=.*\d)(?!P[1-9])[0-9A-Z]{5}$/;

/**
 * Members that may contain the code. Bun has the SQLSTATE in `errno` and
 * `ERR_POSTGRES_SERVER_ERROR` in `code`. Prisma has `originalCode`.
 */
const CODES = ["code", "errno", "sqlState", "originalCode"];

/**
 * Members that may contain the error with the code: `fields` in deno-postgres, `cause` in Drizzle
 * and Prisma, `parent` and `original` in Sequelize, `driverError` in TypeORM, `meta` and
 * `driverAdapterError` in Prisma's client.
 */
const HOLDERS = ["cause", "fields", "parent", "original", "originalError", "driverError", "meta", "driverAdapterError"];

/** The most errors that are searched, because errors may contain each other. */
const MAX_ERRORS = 20;

/** Searches an error, and then the errors that it contains, the outermost first. */
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

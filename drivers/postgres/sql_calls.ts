/**
 * The calls of the driver contract as SQL statements, with the schema created at the first one.
 *
 * @module
 */

import { delay, systemClock } from "../../core/time/clock.ts";
import { DriverError } from "../../core/errors.ts";
import { attempt } from "../../core/time/retry.ts";
import { driverError, isMissing } from "./driver_error.ts";
import type { StatementName, Statements } from "./statements.ts";

/** Sends one statement and returns its rows. */
export type RunQuery = (text: string, params: string[]) => Promise<{ rows: Record<string, unknown>[] }>;

/** Long enough for a connection to be closed. */
const MIGRATE_AGAIN_MS = 100;

/** Makes the calls of one driver. */
export class SqlCalls {
  readonly #query: RunQuery;
  readonly #store: string;
  readonly #statements: Statements;
  #migration: Promise<void> | null = null;

  /**
   * Makes no call yet.
   *
   * @param query Sends a statement.
   * @param store What errors call the store, as in `Postgres`.
   * @param statements The statements for the schema.
   */
  constructor(query: RunQuery, store: string, statements: Statements) {
    this.#query = query;
    this.#store = store;
    this.#statements = statements;
  }

  /**
   * Migrates the schema. It repeats itself after errors that may pass, because the core does not
   * repeat this call.
   */
  migrate(): Promise<void> {
    return attempt(() => this.#migrate(), systemClock);
  }

  /**
   * Calls a function with the request as JSON, and returns its answer. If the function is missing,
   * it migrates first.
   */
  async call<T>(name: StatementName, request: unknown): Promise<T> {
    const params = [JSON.stringify(request)];
    try {
      return this.#parse(name, await this.#migrated(name, params));
    } catch (error) {
      throw driverError(`${this.#store}: ${name}`, error);
    }
  }

  /**
   * Calls at the same time share one migration. It is forgotten when it is over, because a later
   * call must not get its rejection, and because the schema may be dropped again.
   */
  #migrate(): Promise<void> {
    this.#migration ??= this.#run("migrate", []).then(() => {}, (error) => {
      throw driverError(`${this.#store}: migrate`, error);
    }).finally(() => this.#migration = null);
    return this.#migration;
  }

  async #migrated(name: StatementName, params: string[]): Promise<Record<string, unknown>[]> {
    try {
      return await this.#run(name, params);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await this.#migrate().catch((error) => this.#migrateAgain(error));
    return await this.#run(name, params);
  }

  /**
   * Repeats the migration, and not the call, which would fail again first.
   *
   * A statement that fails makes node-postgres close its connection. A server with one connection,
   * such as pglite-socket, does not accept the next connection at once, so the migration fails
   * there.
   */
  async #migrateAgain(error: unknown): Promise<void> {
    if (!(error instanceof DriverError && error.retryable)) throw error;
    await delay(systemClock, MIGRATE_AGAIN_MS);
    await this.#migrate();
  }

  async #run(name: StatementName, params: string[]): Promise<Record<string, unknown>[]> {
    const { rows } = await this.#query(this.#statements[name], params);
    return rows;
  }

  #parse<T>(name: StatementName, rows: Record<string, unknown>[]): T {
    const result = rows[0]?.result;
    if (result === null) return null as T;
    if (typeof result === "string") return JSON.parse(result);
    throw new DriverError(
      `${this.#store}: ${name} answered with ${typeof result}: it must be one row with a text named "result"`,
      { retryable: false },
    );
  }
}

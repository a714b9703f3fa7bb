/**
 * The calls of the driver contract as SQL statements, with the schema created at the first one.
 *
 * @module
 */

import { delay, systemClock } from "../../../core/time/clock.ts";
import { DriverError } from "../../../core/errors.ts";
import { attempt } from "../../../core/time/retry.ts";
import { driverError, isMissing } from "../driver_error.ts";
import type { Params, ShortCall } from "./short_calls.ts";
import { type Procedures, procedures, type StatementName, type Statements, statements } from "./statements.ts";

/** Sends one statement and returns its rows. It rejects when `stop` aborts, if it takes one. */
export type RunQuery = (
  text: string,
  params: Params,
  stop?: AbortSignal,
) => Promise<{ rows: Record<string, unknown>[] }>;

/** The pause before a migration is repeated. In that time, a connection can be closed. */
const MIGRATE_AGAIN_MS = 100;

/**
 * After this many statements that nobody has heard, the driver assumes that nobody listens. The next
 * one that is heard then holds the lock of `NOTIFY` while it waits for the disk.
 */
const MAX_UNHEARD = 100;

/** Makes the calls of one driver. */
export class SqlCalls {
  readonly #query: RunQuery;
  readonly #store: string;
  readonly #statements: Statements;
  readonly #procedures: Partial<Procedures>;
  /** How many more statements go to procedures. */
  #toProcedures = 0;
  #migration: Promise<void> | null = null;

  /**
   * Makes no call yet.
   *
   * @param query Sends a statement.
   * @param store What errors call the store, as in `Postgres`.
   * @param schema The schema's name, unquoted.
   * @param isAlone Whether no statement is ever part of a transaction of the caller.
   */
  constructor(query: RunQuery, store: string, schema: string, isAlone: boolean) {
    this.#query = query;
    this.#store = store;
    this.#statements = statements(schema);
    this.#procedures = isAlone ? procedures(schema) : {};
  }

  /**
   * Migrates the schema. It repeats itself after errors that may pass, because the core does not
   * repeat this call.
   */
  migrate(): Promise<void> {
    return attempt(() => this.#migrate(), systemClock);
  }

  /**
   * Calls a function with the request as JSON, or a short one, and returns its answer. If the
   * function is missing, it migrates first.
   */
  async call<T>(name: StatementName, request: unknown, short: ShortCall | null = null): Promise<T> {
    try {
      return await (short ? this.sendShort<T>(short) : this.send<T>(name, JSON.stringify(request)));
    } catch (error) {
      throw this.failure(name, error);
    }
  }

  /** Makes a call whose request is JSON already. It rejects with the error of the client. */
  async send<T>(name: keyof Statements, text: string): Promise<T> {
    return this.#parse<T>(name, await this.#migrated(name, [text]));
  }

  /** Makes a call by a short function. It rejects with the error of the client. */
  async sendShort<T>({ statement, params, answer }: ShortCall): Promise<T> {
    return answer(this.#parse(statement, await this.#migrated(statement, params))) as T;
  }

  /** Returns the error for a call that the client has rejected with this one. */
  failure(name: StatementName, error: unknown): Error {
    return driverError(`${this.#store}: ${name}`, error);
  }

  /**
   * Calls at the same time share one migration. It is forgotten when it is over. A later call must
   * not get its rejection, and the schema may be dropped again.
   */
  #migrate(): Promise<void> {
    this.#migration ??= this.#run("migrate", []).then(() => {}, (error) => {
      throw driverError(`${this.#store}: migrate`, error);
    }).finally(() => this.#migration = null);
    return this.#migration;
  }

  async #migrated(name: keyof Statements, params: Params): Promise<Record<string, unknown>[]> {
    try {
      return await this.#run(name, params);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await this.#migrate().catch((error) => this.#migrateAgain(error));
    return await this.#run(name, params);
  }

  /**
   * Repeats the migration. It does not repeat the call, which would fail again first.
   *
   * After a statement that fails, node-postgres closes the connection. A server with a single
   * connection, such as pglite-socket, does not accept the next one at once. So the migration fails
   * there.
   */
  async #migrateAgain(error: unknown): Promise<void> {
    if (!(error instanceof DriverError && error.retryable)) throw error;
    await delay(systemClock, MIGRATE_AGAIN_MS);
    await this.#migrate();
  }

  async #run(name: keyof Statements, params: Params): Promise<Record<string, unknown>[]> {
    const procedure = this.#toProcedures > 0 ? this.#procedures[name as keyof Procedures] : undefined;
    if (procedure !== undefined) this.#toProcedures--;
    const { rows } = await this.#query(procedure ?? this.#statements[name], params);
    if (rows[0]?.heard === "t") this.#toProcedures = MAX_UNHEARD;
    return rows;
  }

  #parse<T>(name: keyof Statements, rows: Record<string, unknown>[]): T {
    const result = rows[0]?.result;
    if (result === null) return null as T;
    if (typeof result === "string") return JSON.parse(result);
    throw new DriverError(
      `${this.#store}: ${name} answered with ${typeof result}: it must be one row with a text named "result"`,
      { retryable: false },
    );
  }
}

/**
 * Sends the statements, and asks once what the database has.
 *
 * @module
 */

import type { Clock } from "../core/time/clock.ts";
import { attempt } from "../core/time/retry.ts";
import { driverError, sqlState } from "../drivers/postgres/driver_error.ts";
import type { RunQuery } from "../drivers/postgres/calls/sql_calls.ts";
import { type Catalogue, type CatalogueAnswer, catalogueStatement, readCatalogue } from "./sql/catalogue.ts";
import { type TableOf, tablesOf } from "./sql/names.ts";

/** What all clients of a database in this isolate know of it. */
export interface Shared {
  catalogue?: Promise<Catalogue> | undefined;
  /** The earliest time of the next message to a workflow, by its ID, in epoch milliseconds. */
  readonly floors: Map<string, number>;
}

/** Writes a statement for a database. */
export type Write = (of: TableOf, catalogue: Catalogue) => string;

/** SQLSTATEs of a missing schema, table, column or function. */
const MISSING = /^(3F000|42P01|42703|42883)$/;

/** Sends statements that may be repeated. */
export class DbosCalls {
  readonly #query: RunQuery;
  readonly #schema: string;
  readonly #clock: Clock;
  readonly #shared: Shared;
  readonly #of: TableOf;

  /** @throws {ValidationError} If PostgreSQL cannot have a schema of that name. */
  constructor(query: RunQuery, options: { schema: string; clock: Clock; shared: Shared }) {
    this.#query = query;
    this.#schema = options.schema;
    this.#clock = options.clock;
    this.#shared = options.shared;
    this.#of = tablesOf(options.schema);
  }

  /** The earliest times of the next messages. */
  get floors(): Map<string, number> {
    return this.#shared.floors;
  }

  /** Sends a statement that depends on what the database has. See {@linkcode DbosCalls.callAny}. */
  async call<T>(operation: string, write: Write, params: readonly (string | null)[]): Promise<T | undefined> {
    const catalogue = await this.catalogue();
    return await this.callAny(operation, write(this.#of, catalogue), params);
  }

  /** Sends a statement that every database takes. See {@linkcode DbosCalls.callAny}. */
  async callPlain<T>(
    operation: string,
    write: (of: TableOf) => string,
    params: readonly (string | null)[],
  ): Promise<T | undefined> {
    return await this.callAny(operation, write(this.#of), params);
  }

  /**
   * Sends a statement, and again after a fault that may pass.
   *
   * @param operation The operation, for errors.
   * @returns The answer of its row; `undefined` if it has no row.
   * @throws {UnsupportedError} If the database lacks something, and is too old.
   */
  async callAny<T>(operation: string, text: string, params: readonly (string | null)[]): Promise<T | undefined> {
    return await attempt(async () => {
      try {
        const { rows: [row] } = await this.#query(text, [...params]);
        return row === undefined ? undefined : JSON.parse(String(row.result)) as T;
      } catch (error) {
        // An old database lacks what all statements use. The catalogue then says so.
        if (text !== catalogueStatement(this.#of) && MISSING.test(sqlState(error) ?? "")) await this.catalogue();
        throw driverError(`DBOS: ${operation}`, error);
      }
    }, this.#clock);
  }

  /** What the database has. It is asked for once, because later versions of DBOS only add to it. */
  catalogue(): Promise<Catalogue> {
    const shared = this.#shared;
    shared.catalogue ??= this.#ask().catch((error) => {
      shared.catalogue = undefined;
      throw error;
    });
    return shared.catalogue;
  }

  async #ask(): Promise<Catalogue> {
    const answer = await this.callAny<CatalogueAnswer>("catalogue", catalogueStatement(this.#of), []);
    return readCatalogue(answer!, this.#schema);
  }
}

/**
 * Sends the statements, and asks what the database has.
 *
 * @module
 */

import type { ParleyError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import { attempt } from "../core/time/retry.ts";
import { driverError, isMissing, sqlState } from "../drivers/postgres/driver_error.ts";
import type { RunQuery } from "../drivers/postgres/calls/sql_calls.ts";
import { type Catalogue, type CatalogueAnswer, catalogueStatement, readCatalogue } from "./sql/catalogue.ts";
import { type TableOf, tablesOf } from "./sql/names.ts";

/** What all clients of a database in this isolate know of it. */
export interface Shared {
  catalogue?: AskedCatalogue | undefined;
  /** The earliest time of the next message to a workflow, by its ID, in epoch milliseconds. */
  readonly floors: Map<string, number>;
}

/** A catalogue, and when it was asked for by the clock of a client, in milliseconds. */
interface AskedCatalogue {
  readonly answer: Promise<Catalogue>;
  readonly at: number;
}

/** Writes a statement for a database. */
export type Write = (of: TableOf, catalogue: Catalogue) => string;

/** The SQLSTATE of a missing column. */
const NO_COLUMN = "42703";

/** How long a catalogue that lacks something is used. The app may get a newer DBOS at any time. */
const MAX_CATALOGUE_MS = 60_000;

/** An answer of a statement that was written without the tables of inputs and outputs. */
interface Movable {
  /** Whether they exist now. */
  readonly moved?: boolean;
}

/** Options of a statement. */
export interface CallOptions<T> {
  /** Makes the function that is tried, and tried again, from the one that sends the statement. */
  readonly tries?: (send: () => Promise<T | undefined>) => () => Promise<T | undefined>;
  /**
   * Returns the error to reject with, in place of the one for a statement that the database has
   * refused with an SQLSTATE.
   */
  readonly refused?: (error: ParleyError, state: string) => ParleyError | Promise<ParleyError>;
}

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

  /**
   * Sends a statement that depends on what the database has. If its answer says that the database
   * has changed since, it is sent once more. See {@linkcode DbosCalls.callAny}.
   */
  async call<T extends object>(
    operation: string,
    write: Write,
    params: readonly (string | null)[],
    options: CallOptions<T & Movable> = {},
  ): Promise<T | undefined> {
    const catalogue = await this.catalogue();
    const send = (catalogue: Catalogue) =>
      this.callAny<T & Movable>(operation, write(this.#of, catalogue), params, options);
    const answer = await send(catalogue);
    if (!answer?.moved) return answer;
    if (await this.#shared.catalogue?.answer === catalogue) this.#shared.catalogue = undefined;
    return await send(await this.catalogue());
  }

  /** Sends a statement that every database takes. See {@linkcode DbosCalls.callAny}. */
  async callPlain<T>(
    operation: string,
    write: (of: TableOf) => string,
    params: readonly (string | null)[],
    options: CallOptions<T> = {},
  ): Promise<T | undefined> {
    return await this.callAny(operation, write(this.#of), params, options);
  }

  /**
   * Sends a statement, and again after a fault that may pass.
   *
   * @param operation The operation, for errors.
   * @returns The answer of its row; `undefined` if it has no row.
   * @throws {UnsupportedError} If the database lacks something, and is too old.
   */
  async callAny<T>(
    operation: string,
    text: string,
    params: readonly (string | null)[],
    { tries = (send) => send, refused = (error) => error }: CallOptions<T> = {},
  ): Promise<T | undefined> {
    const send = async () => {
      try {
        const { rows: [row] } = await this.#query(text, [...params]);
        return row === undefined ? undefined : JSON.parse(String(row.result)) as T;
      } catch (error) {
        const state = sqlState(error);
        // An old database lacks what all statements use. The catalogue then says so.
        if (text !== catalogueStatement(this.#of) && (isMissing(error) || state === NO_COLUMN)) await this.catalogue();
        const failure = driverError(`DBOS: ${operation}`, error);
        throw state === null ? failure : await refused(failure, state);
      }
    };
    return await attempt(tries(send), this.#clock);
  }

  /**
   * What the database has. Versions of DBOS only add to it, so a catalogue that has everything is
   * asked for once.
   */
  async catalogue(): Promise<Catalogue> {
    const asked = this.#shared.catalogue ?? this.#askOnce();
    const catalogue = await asked.answer;
    const isFresh = catalogue.isWhole || this.#clock.now() - asked.at < MAX_CATALOGUE_MS;
    if (isFresh) return catalogue;
    // Another call may have asked again meanwhile.
    if (this.#shared.catalogue === asked) this.#shared.catalogue = undefined;
    return await (this.#shared.catalogue ?? this.#askOnce()).answer;
  }

  /** Asks for all calls that come until the answer. */
  #askOnce(): AskedCatalogue {
    const shared = this.#shared;
    const answer = this.#ask().catch((error) => {
      if (shared.catalogue === asked) shared.catalogue = undefined;
      throw error;
    });
    const asked: AskedCatalogue = { answer, at: this.#clock.now() };
    shared.catalogue = asked;
    return asked;
  }

  async #ask(): Promise<Catalogue> {
    const answer = await this.callAny<CatalogueAnswer>("catalogue", catalogueStatement(this.#of), []);
    return readCatalogue(answer!, this.#schema);
  }
}

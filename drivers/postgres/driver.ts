/**
 * The driver contract over one function: send a statement, get its rows. Drivers for other ways to a Postgres stand on this.
 *
 * @module
 */

import { delay, systemClock } from "../../core/time/clock.ts";
import type { Driver, DriverLimits, ListPage, ListQuery } from "../../core/driver/driver.ts";
import { DriverError, ValidationError } from "../../core/errors.ts";
import { checkName } from "../../core/values/checks.ts";
import { attempt } from "../../core/time/retry.ts";
import { driverError, isMissing } from "./failure.ts";
import { POSTGRES_LIMITS } from "./limits.ts";
import { type StatementName, type Statements, statements } from "./statements.ts";

/** Sends one statement and answers with its rows. */
export type RunQuery = (text: string, params: string[]) => Promise<{ rows: Record<string, unknown>[] }>;

/** All of the contract but `watch`. */
export type SqlDriver = Omit<Driver, "watch">;

/** See {@linkcode sqlDriver}. */
export interface SqlDriverOptions {
  /** What errors call the store, as in `Postgres`. */
  store: string;
  /** The schema's name, unquoted. */
  schema: string;
  /** How much may travel; without it, what a connection of Postgres' own lets through. */
  limits?: DriverLimits;
}

/**
 * A driver that makes one query for each call.
 *
 * @throws {ValidationError} If Postgres cannot have a schema of that name.
 */
export function sqlDriver(query: RunQuery, { store, schema, limits = POSTGRES_LIMITS }: SqlDriverOptions): SqlDriver {
  const client = new Client(query, store, statements(checkedSchema(schema)));
  return {
    contract: 1,
    limits,
    migrate: () => client.migrate(),
    create: (request) => client.call("create", request),
    claim: (request) => client.call("claim", request),
    commit: (request) => client.call("commit", request),
    readJournal: (request) => client.call("readJournal", request),
    send: (messages) => client.call("send", messages),
    readWorkflow: (workflowId) => client.call("readWorkflow", { workflowId }),
    listWorkflows: (query) => listWorkflows(client, query),
    readEvent: (request) => client.call("readEvent", request),
    readStream: (request) => client.call("readStream", request),
    control: (request) => client.call("control", request),
    purge: (request) => client.call("purge", request),
  };
}

/** Long enough for a connection to be closed. */
const MIGRATE_AGAIN_MS = 100;

class Client {
  readonly #query: RunQuery;
  readonly #store: string;
  readonly #statements: Statements;
  #migration: Promise<void> | null = null;

  constructor(query: RunQuery, store: string, statements: Statements) {
    this.#query = query;
    this.#store = store;
    this.#statements = statements;
  }

  /** A migration that was asked for by itself. Nobody else repeats it while its fault may pass, as where a server has one connection. */
  migrate(): Promise<void> {
    return attempt(() => this.#migrate(), systemClock);
  }

  /** Calls at once share one run. It is forgotten when it is over: a rejection is nobody else's, and the schema may be dropped again. */
  #migrate(): Promise<void> {
    this.#migration ??= this.#run("migrate", []).then(() => {}, (error) => {
      throw driverError(`${this.#store}: migrate`, error);
    }).finally(() => this.#migration = null);
    return this.#migration;
  }

  async call<T>(name: StatementName, request: unknown): Promise<T> {
    const params = [JSON.stringify(request)];
    try {
      return this.#parse(name, await this.#migrated(name, params));
    } catch (error) {
      throw driverError(`${this.#store}: ${name}`, error);
    }
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
   * A repeat of the call would fail first, as the call did, and node-postgres closes a connection whose statement failed. A server with one connection, as
   * pglite-socket, does not take the next one at once: so the migration is what has to be repeated.
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
      {
        retryable: false,
      },
    );
  }
}

/** The cursor is the place of the last row, as JSON. */
async function listWorkflows(client: Client, query: ListQuery): Promise<ListPage> {
  const cursor = query.cursor === null ? null : parseCursor(query.cursor);
  const page = await client.call<Omit<ListPage, "cursor"> & { cursor: unknown }>("listWorkflows", { ...query, cursor });
  return { workflows: page.workflows, cursor: page.cursor === null ? null : JSON.stringify(page.cursor) };
}

function parseCursor(text: string): [number, string] {
  try {
    const [createdAt, workflowId] = JSON.parse(text);
    // What no store can hold would be a fault of the store.
    checkName(workflowId, "workflow ID");
    if (Number.isSafeInteger(createdAt)) return [createdAt, workflowId];
  } catch {
    // Not JSON, or no ID: the same error as below.
  }
  throw new ValidationError("Listing workflows: the cursor must be one that an earlier page gave");
}

/** Postgres cuts longer names off, so two of them could mean one schema. */
function checkedSchema(schema: string): string {
  const bytes = new TextEncoder().encode(schema).length;
  if (bytes >= 1 && bytes <= 63 && schema.isWellFormed() && !schema.includes("\0") && !schema.startsWith("pg_")) {
    return schema;
  }
  throw new ValidationError(
    `Using the schema ${JSON.stringify(schema)}: its name must have 1 to 63 bytes, no NUL, and not begin with "pg_"`,
  );
}

/**
 * Drivers over the address of a store.
 *
 * @module
 */

import type { Driver } from "../core/driver/driver.ts";
import { systemClock } from "../core/time/clock.ts";
import { attempt } from "../core/time/retry.ts";
import type { SqliteClient } from "../drivers/sqlite/mod.ts";
import { CliError, EXIT_CODES } from "./exit_codes.ts";
import type { Options } from "./options.ts";
import { quoted } from "./text.ts";

/** A driver, and how to close its client. */
interface Store {
  readonly driver: Driver;
  close(): Promise<void>;
}

type Query = (text: string, params: unknown[]) => Promise<{ rows: unknown[] }>;

/** How long a statement or a connection may take. */
const TIMEOUT_MS = 10_000;

/** Opens a database: over Neon's HTTP if it is one of Neon, else with node-postgres. */
export async function openSql(url: string, options: Options): Promise<Store> {
  const schema = options.text("schema") ?? "parley";
  const proxy = options.text("neon-proxy");
  const host = URL.parse(url.replace(/^postgres(ql)?:/, "http:"))?.hostname;
  return proxy !== undefined || host?.endsWith(".neon.tech")
    ? await openNeon(url, schema, proxy)
    : await openPostgres(url, schema);
}

async function openNeon(url: string, schema: string, proxy: string | undefined): Promise<Store> {
  const [{ neonDriver }, { readNeonAddress }, { httpQuery }] = await Promise.all([
    import("../drivers/neon/mod.ts"),
    import("../drivers/neon/address.ts"),
    import("../drivers/neon/http.ts"),
  ]);
  const endpoint = proxy === undefined ? undefined : { http: proxy };
  // A command waits for one thing at most, and polls for it.
  const driver = neonDriver(url, { schema, push: false, ...(endpoint && { endpoint }) });
  const query = httpQuery(readNeonAddress(url, endpoint), TIMEOUT_MS);
  await checkSchema("Neon", schema, async (text, params) => await query(text, params as string[]));
  return { driver, close: () => Promise.resolve() };
}

async function openPostgres(url: string, schema: string): Promise<Store> {
  const [{ postgresDriver }, { Pool }] = await Promise.all([import("../drivers/postgres/mod.ts"), loadPg()]);
  const pool = new Pool({
    connectionString: checkedAddress(url),
    application_name: "parley-cli",
    connectionTimeoutMillis: TIMEOUT_MS,
    max: 4,
  });
  // A connection that breaks while nothing uses it is no fault: the pool opens another one.
  pool.on("error", () => {});
  const store = { driver: postgresDriver(pool, { schema }), close: () => pool.end() };
  try {
    await checkSchema("Postgres", schema, (text, params) => pool.query(text, params));
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The parts of node-postgres that are used here. */
interface Pg {
  Pool: new (options: object) => {
    query(text: string, params?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
    on(event: "error", listener: () => void): unknown;
    end(): Promise<void>;
  };
}

/** Loads node-postgres, which is needed for this alone. */
async function loadPg(): Promise<Pg> {
  try {
    return (await import("pg")).default as Pg;
  } catch {
    throw new CliError(
      "A postgres:// address needs the package pg, which cannot be loaded: install it beside this one",
      EXIT_CODES.failed,
    );
  }
}

/** Returns a connection string that node-postgres can read. Its own error would show the string. */
function checkedAddress(url: string): string {
  if (URL.canParse(url.replace(/^postgres(ql)?:/, "http:")) && URL.canParse(url)) return url;
  throw new CliError("Reading the address: it must be postgres://USER:PASSWORD@HOST:PORT/DATABASE");
}

/** Opens a file of SQLite, which must be there. */
export async function openFile(path: string): Promise<Store> {
  const [{ sqliteDriver }, Database, { stat }] = await Promise.all([
    import("../drivers/sqlite/mod.ts"),
    loadSqlite(),
    import("node:fs/promises"),
  ]);
  // A database that is not there would be created.
  await stat(path).catch((error) => {
    if (!["ENOENT", "ENOTDIR"].includes(error.code)) throw cannotOpen();
    throw new CliError("Reading the store: there is no such file", EXIT_CODES.notFound);
  });
  const database = opened(Database, path);
  const close = () => Promise.resolve(database.close());
  try {
    // The driver would create its tables, which is not for somebody who looks at the wrong file.
    const found = database.prepare("select name from sqlite_schema where name = 'parley_workflows'").all();
    if (found.length > 0) return { driver: sqliteDriver(database), close };
  } catch {
    await close();
    throw new CliError("Reading the store: the file is not a database of SQLite");
  }
  await close();
  throw new CliError("The file has no tables of Parley, so no workflow was stored there", EXIT_CODES.notFound);
}

/** A database of `node:sqlite` or `bun:sqlite`. */
type SqliteFile = SqliteClient & { close(): void };

/** Opens a path, which may be that of a folder, or of a file that this user may not read. */
function opened(Database: new (path: string) => SqliteFile, path: string): SqliteFile {
  try {
    return new Database(path);
  } catch {
    throw cannotOpen();
  }
}

function cannotOpen(): CliError {
  return new CliError("Reading the store: it cannot be opened. It must be a file that you may read and write");
}

/**
 * Loads the SQLite of the runtime. Its name is no literal, because neither bundlers nor type checkers
 * know it everywhere.
 */
async function loadSqlite(): Promise<new (path: string) => SqliteFile> {
  const [name, member] = "Bun" in globalThis ? ["bun:sqlite", "Database"] : ["node:sqlite", "DatabaseSync"];
  try {
    return (await import(name))[member];
  } catch {
    throw new CliError("A file of SQLite needs Deno, Bun, or Node 22.13 or later", EXIT_CODES.failed);
  }
}

/** Opens a Redis at Upstash. */
export async function openRest(url: string, token: string, options: Options): Promise<Store> {
  const { upstashDriver } = await import("../drivers/upstash/mod.ts");
  const prefix = options.text("prefix");
  return {
    driver: upstashDriver({ url, token }, prefix === undefined ? {} : { prefix }),
    close: () => Promise.resolve(),
  };
}

/**
 * Checks that Parley has been used in a database. The driver would create its schema, which is not
 * for somebody who looks at the wrong database.
 */
async function checkSchema(store: string, schema: string, query: Query): Promise<void> {
  const { driverError } = await import("../drivers/postgres/driver_error.ts");
  const look = async () => {
    try {
      return await query("select nspname from pg_catalog.pg_namespace where nspname = $1", [schema]);
    } catch (error) {
      throw driverError(`${store}: connecting`, error);
    }
  };
  const { rows } = await attempt(look, systemClock);
  if (rows.length > 0) return;
  throw new CliError(
    `The database has no schema ${quoted(schema)}, so no workflow was stored there: --schema names another one`,
    EXIT_CODES.notFound,
  );
}

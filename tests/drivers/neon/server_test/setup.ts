/**
 * A Neon server in front of the tests' PostgreSQL, the real client, and a relay in between.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Client, neon, neonConfig, type NeonQueryFunction } from "@neondatabase/serverless";
import { type NeonServer, startNeonServer } from "../server/mod.ts";
import { postgresUrl } from "../../postgres/support/server.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";

/** The connection string of the tests' PostgreSQL. */
export const POSTGRES = await postgresUrl();

/** What a test gets. */
export interface Setting {
  readonly server: NeonServer;
  /** A relay in front of the server. The client goes through it. */
  readonly relay: Relay;
  /** The connection string, with a host that exists only at Neon. */
  readonly connectionString: string;
  readonly sql: NeonQueryFunction<false, false>;
  /** The name of an empty table with the columns `id` (serial) and `value` (text). */
  readonly table: string;
  /** How many rows the table has, read through another server. */
  count(): Promise<number>;
  /**
   * How many sessions sleep in a statement that begins like this, read through another server. A
   * session that is about to begin it ignores a request to cancel.
   */
  sleeping(statement: string): Promise<number>;
  /** Opens a client over a WebSocket, which is closed after the test. */
  connect(): Promise<Client>;
  /** Sends a `POST /sql` to the server itself. */
  post(body: unknown, headers?: Record<string, string>, signal?: AbortSignal): Promise<Response>;
}

/** Registers a test, and gives it a server. */
export function neonTest(name: string, run: (setting: Setting) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await startNeonServer({ postgres: POSTGRES });
    await using backstage = await startNeonServer({ postgres: POSTGRES });
    await using relay = await startRelay({ target: server });
    const connectionString = atNeon();
    configure(server, relay);
    const sql = neon(connectionString);
    const direct = (query: string, ...params: string[]) =>
      post(backstage, connectionString, { query, params }).then((it) => it.json());
    const table = `neon_${crypto.randomUUID().replaceAll("-", "")}`;
    await direct(`create table ${table} (id serial, value text)`);
    const clients = new Set<Client>();
    try {
      await run({
        server,
        relay,
        connectionString,
        sql,
        table,
        count: async () => Number((await direct(`select count(*) from ${table}`)).rows[0].count),
        sleeping: async (statement) => {
          const query =
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and pid <> pg_backend_pid() and starts_with(query, $1)";
          return Number((await direct(query, statement)).rows[0].count);
        },
        async connect() {
          const client = new Client(connectionString);
          client.on("error", () => {}); // Without a listener, an error would end Deno. Tests that need errors add their own listener.
          client.on("end", () => clients.delete(client)); // Ending it a second time would never return.
          clients.add(client);
          await client.connect();
          return client;
        },
        post: (...request) => post(server, connectionString, ...request),
      });
    } finally {
      await Promise.allSettled([...clients].map((client) => client.end()));
      await direct(`drop table ${table}`);
    }
  });
}

/** Makes the tests' connection string with another host, and with other given parts. */
export function atNeon(changes: { user?: string; password?: string; database?: string } = {}): string {
  const url = new URL(POSTGRES);
  const { user = url.username, password = url.password, database = url.pathname.slice(1) } = changes;
  return `postgresql://${user}:${password}@ep-test-123.eu-central-1.aws.neon.test/${database}`;
}

/** Returns what the client rejected with, as an object whose members can be compared. */
export async function rejection(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    assert(typeof error === "object" && error !== null);
    return Object.assign(error);
  }
  throw new assert.AssertionError({ message: "It did not reject" });
}

/** Makes a body that Deno cannot send twice by itself. */
export const blobFetch = (url: string, init: RequestInit) =>
  fetch(url, { ...init, body: new Blob([String(init.body)]) });

// The client's endpoint can be set only for the whole process.
function configure(server: NeonServer, relay: Relay): void {
  neonConfig.fetchEndpoint = relay.through(server.http);
  neonConfig.wsProxy = () => relay.through(server.websocket).slice("ws://".length);
  neonConfig.useSecureWebSocket = false;
  neonConfig.fetchFunction = blobFetch;
}

function post(
  server: NeonServer,
  connectionString: string,
  ...[body, headers, signal]: Parameters<Setting["post"]>
): Promise<Response> {
  return fetch(server.http, {
    method: "POST",
    headers: { "Neon-Connection-String": connectionString, "Neon-Raw-Text-Output": "true", ...headers },
    body: new Blob([typeof body === "string" ? body : JSON.stringify(body)]),
    ...(signal ? { signal } : {}),
  });
}

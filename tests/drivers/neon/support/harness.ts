/**
 * A harness over the Neon driver, with a local Neon.
 *
 * @module
 */

import { openNeon } from "../../../../drivers/neon/driver.ts";
import type { Queryable } from "../../../../drivers/postgres/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";
import { Client } from "../server/client.ts";
import { type FaultHandle, type NeonServer, startNeonServer } from "../server/mod.ts";
import { EAGER, PostgresStore } from "../../postgres/support/store.ts";
import { counted, Requests } from "../../../support/requests.ts";
import { startSharedServer } from "./shared_server.ts";

/**
 * The least that Neon's proxy lets through in each direction. Its documents say 64 MiB, and older
 * ones say 10.
 */
export const SAFE_BYTES = 10 * 1024 * 1024;

/** Marks the tests' own requests. */
const BACKSTAGE = "X-Backstage";

/** Makes the connection string, with a host that exists only at Neon. */
export function atNeon(postgres: string, host: string = "ep-test-123.eu-central-1.aws.neon.test"): string {
  const { username, password, pathname } = new URL(postgres);
  return `postgresql://${username}:${password}@${host}${pathname}?sslmode=require`;
}

/** A server with its client. */
export class Backstage implements Queryable {
  readonly #postgres: string;
  #server: NeonServer | undefined;
  #users = 0;

  constructor(postgres: string) {
    this.#postgres = postgres;
  }

  /**
   * Starts the server for its first user, and ends it after the last one. A new server has new
   * sessions, which take 0.1 s to warm up.
   */
  async use(): Promise<AsyncDisposable & { readonly server: NeonServer }> {
    this.#users += 1;
    const server = this.#server ??= await startNeonServer({ postgres: this.#postgres, maxBytes: SAFE_BYTES });
    return {
      server,
      [Symbol.asyncDispose]: async () => {
        this.#users -= 1;
        if (this.#users > 0) return;
        this.#server = undefined;
        await server[Symbol.asyncDispose]();
      },
    };
  }

  async query(query: string, params: unknown[] = []): Promise<{ rows: Record<string, unknown>[] }> {
    const response = await fetch(this.#server?.http ?? "", {
      method: "POST",
      headers: {
        "Neon-Connection-String": atNeon(this.#postgres),
        "Neon-Raw-Text-Output": "true",
        [BACKSTAGE]: "true",
      },
      body: new Blob([JSON.stringify({ query, params: params.map(String) })]),
    });
    const body = await response.json();
    if (response.ok) return body;
    throw new Error(`${query}: ${body.message}`);
  }
}

/** Counts the requests that reach a server from now on, without those of the tests themselves. */
export function countRequests(server: NeonServer): FaultHandle {
  return server.fault({ times: Infinity, matches: ({ headers }) => !headers.has(BACKSTAGE), answer: () => undefined });
}

/**
 * Makes harnesses over one schema, in front of one server for the file. Each ends when both drivers
 * have closed their connections.
 *
 * @param postgres The connection string of PostgreSQL.
 */
export async function neonHarness(
  postgres: string,
  { push }: { push: boolean },
): Promise<() => Promise<CountingHarness>> {
  const server = await startSharedServer({ postgres, maxBytes: SAFE_BYTES });
  const store = await createStore(postgres);
  return async () => {
    const before = server.requests();
    const requests = new Requests();
    const open = () => openNeon(atNeon(postgres), { schema: store.schema, push, endpoint: server }, { timing: EAGER });
    const [a, b] = [open(), open()];
    const harness = await store.harness([counted(a.driver, requests), counted(b.driver, requests)], requests);
    return {
      ...harness,
      requests: () => server.requests() - before,
      async [Symbol.asyncDispose]() {
        await Promise.all([a.push?.idle, b.push?.idle]);
        await harness[Symbol.asyncDispose]();
      },
    };
  };
}

/**
 * Makes a schema that is dropped after the tests of the file. The tests move its clock over a
 * direct session, because Neon's HTTP would take most of their time.
 */
async function createStore(postgres: string): Promise<PostgresStore> {
  const session = await Session.connect(postgres);
  const store = await PostgresStore.create(session, `Neon ${crypto.randomUUID()}`);
  Deno.test.afterAll(async () => {
    await store.drop();
    session.close();
  });
  return store;
}

/** A session of PostgreSQL without a proxy. Statements run one after the other. */
class Session implements Queryable {
  readonly #client: Client;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect(postgres: string): Promise<Session> {
    const { hostname, port, username, password, pathname } = new URL(postgres);
    const login = {
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: pathname.slice(1),
    };
    return new Session(await Client.connect({ hostname, port: Number(port || 5432) }, login));
  }

  async query(text: string, params: unknown[] = []): Promise<{ rows: Record<string, unknown>[] }> {
    const running = this.#last.then(() => this.#client.query(text, params.map(String), Infinity));
    this.#last = running.catch(() => {});
    const { fields, rows } = await running;
    return { rows: rows.map((row) => Object.fromEntries(fields.map(({ name }, index) => [name, row[index]]))) };
  }

  close(): void {
    this.#client.close();
  }
}

/**
 * The setting of tests of `listen` under faults: a server, a relay in front of it, and drivers that
 * listen through the relay.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import type { Driver } from "../../../../core/driver/driver.ts";
import type { PostgresDriverOptions, Queryable } from "../../../../drivers/postgres/mod.ts";
import { openPostgres, type PostgresInternals } from "../../../../drivers/postgres/open.ts";
import { pushStatements } from "../../../../drivers/postgres/calls/statements.ts";
import type { PushConnection, PushTiming } from "../../../../drivers/push.ts";
import { CountingClock, until } from "../../../support/patience.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";
import { openPool, postgresTest } from "./postgres.ts";
import { postgresUrl } from "./server.ts";
import { EAGER, quoted } from "./store.ts";

const url = await postgresUrl();

/** A pool of the tests, which reaches the server without the relay. */
export const pool = await openPool(url, { application_name: "parley-test-pool" });

/** Options of {@linkcode ListenSetting.open}. */
export interface OpenOptions extends PostgresDriverOptions {
  /** Default: the pool of the tests. */
  readonly queryable?: Queryable;
  /** Default: faster than for users. */
  readonly timing?: Partial<PushTiming>;
  readonly clock?: PostgresInternals["clock"];
}

/** A driver with push, and its push. */
export interface Opened {
  readonly driver: Driver & Required<Pick<Driver, "watch">>;
  readonly push: PushConnection;
}

/** What a test gets. */
export interface ListenSetting {
  /** The test's schema, which is migrated. */
  readonly schema: string;
  /** A relay in front of the server. Only connections that listen go through it. */
  readonly relay: Relay;
  /** A pool of node-postgres that goes through the relay. */
  readonly relayed: pg.Pool;
  /** Opens a driver. The test ends after it has stopped listening. */
  open(options?: OpenOptions): Opened;
  /** How many connections to the server listen. */
  connections(): Promise<number>;
  /** How many listeners the database knows. */
  listeners(): Promise<number>;
}

/** Registers a test. */
export function listenTest(name: string, run: (setting: ListenSetting) => Promise<void>): void {
  postgresTest(name, async () => {
    const { hostname, port } = new URL(url);
    await using relay = await startRelay({ target: { hostname, port: Number(port) }, protocol: "tcp" });
    const schema = `Listen ${crypto.randomUUID()}`;
    // A pool opens no connection before its first query.
    const relayed = new pg.Pool({ connectionString: relay.through(url), application_name: schema });
    const clock = new CountingClock();
    const pushes: PushConnection[] = [];
    const open = (
      { queryable = pool, timing, clock: given = clock, listen = relayed, ...options }: OpenOptions = {},
    ): Opened => {
      const opened = openPostgres(queryable, { schema, listen, ...options }, {
        clock: given,
        timing: { ...EAGER, ...timing },
      });
      if (opened.push) pushes.push(opened.push);
      return { driver: opened.driver as Opened["driver"], push: opened.push as PushConnection };
    };
    const count = async (text: string, params: unknown[] = []) =>
      Number((await pool.query(text, params)).rows[0].count);
    const connections = () => count("select count(*) from pg_stat_activity where application_name = $1", [schema]);
    try {
      await open({ listen: false }).driver.migrate();
      await run({
        schema,
        relay,
        relayed,
        open,
        connections,
        listeners: () => count(`select count(*) from ${quoted(schema)}.listeners`),
      });
      await Promise.all(pushes.map(({ idle }) => idle));
      await until(async () => await connections() === 0);
      await until(() => clock.pending === 0);
    } finally {
      await pool.query(`drop schema if exists ${quoted(schema)} cascade`);
    }
  });
}

/** Counts the notifications in the channel of a schema. */
export class ChannelEar implements AsyncDisposable {
  readonly #client: pg.Client;
  #heard: string[] = [];

  private constructor(client: pg.Client) {
    this.#client = client;
    client.on("notification", ({ payload = "" }) => this.#heard.push(payload));
  }

  static async at(schema: string): Promise<ChannelEar> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const ear = new ChannelEar(client);
    await client.query(`listen ${pushStatements(schema).channel}`);
    return ear;
  }

  /**
   * Returns the hints during a call. A notification that was committed before a query arrives
   * before the answer of the query.
   */
  async during(call: () => Promise<unknown>): Promise<string[]> {
    this.#heard = [];
    await call();
    await this.#client.query("select 1");
    return this.#heard.filter((text) => /^((inbox|event|stream|status):|due$)/.test(text));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.end();
  }
}

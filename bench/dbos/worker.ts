/**
 * A process of Node: the app, or both clients, which take turns.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import pg from "pg";
import { dbosClient } from "@parley/parley/dbos";
import { runApp } from "./app.ts";
import { type BareClient, type BenchClient, openBare, openOfficial, openParley } from "./clients.ts";

const PACKAGE = "@dbos-inc/dbos-sdk";
/** The rounds that warm up: PostgreSQL makes up its mind about a prepared statement in the sixth. */
const WARM_ROUNDS = 6;
/** The messages and the values of the cases with many. */
const MANY = 100;

/** The first argument. */
export interface WorkerSettings {
  readonly role: "app" | "clients";
  /** The address of the database, and the same by way of the distance. */
  readonly near: string;
  readonly url: string;
  readonly rounds: number;
  /** The number of waits for an event from outside, which take DBOS's own client up to 10 s each. */
  readonly waits: number;
}

/** The milliseconds of each round, by the case and the client. */
export type DbosTimes = Record<string, Record<BenchClient["name"], number[]>>;

/** The workflows of the app, by their IDs. */
interface Workflows {
  /** It has ended, with an event, a stream and steps. */
  readonly published: string;
  /** It sets an event whenever a message names one. */
  readonly publisher: string;
  /** It waits, and gets messages that it never receives. */
  readonly waiting: string;
}

/** A case: it prepares, and returns what is measured. */
type DbosCase<C> = (client: C, workflows: Workflows) => (() => Promise<unknown>) | Promise<() => Promise<unknown>>;

/** The cases that a bare statement can do, too. */
const BARE_CASES: Readonly<Record<string, DbosCase<BareClient>>> = {
  "send": (client, { waiting }) => () => client.send(waiting, { n: 1 }),
  "100 sends": (client, { waiting }) => {
    const messages = Array.from({ length: MANY }, (_, n) => ({ n }));
    return () => client.sendMany(waiting, messages);
  },
  "event that is there": (client, { published }) => () => client.getEvent(published, "ready"),
  "100 stream values": (client, { published }) => async () => {
    assert.equal((await client.readStream(published, "log")).length, MANY);
  },
};

const CASES: Readonly<Record<string, DbosCase<BenchClient>>> = {
  "start": (client) => () => client.start(crypto.randomUUID()),
  "start again": async (client) => {
    const id = await started(client);
    return () => client.start(id);
  },
  "status": (client, { published }) => () => client.status(published),
  "list of 50": (client) => () => client.list(50),
  "cancel": async (client) => {
    const id = await started(client);
    return () => client.cancel(id);
  },
  "resume": async (client) => {
    const id = await started(client);
    await client.cancel(id);
    return () => client.resume(id);
  },
  "steps": (client, { published }) => () => client.steps(published),
};

async function started(client: BenchClient): Promise<string> {
  const id = crypto.randomUUID();
  await client.start(id);
  return id;
}

/** The times of both clients. */
class Times {
  readonly all: DbosTimes = {};

  record(name: string, client: Pick<BenchClient, "name">, ms: number): void {
    const of = this.all[name] ??= { dbosClient: [], DBOSClient: [], bare: [] };
    of[client.name].push(ms);
  }
}

async function measure({ near, url, rounds, waits }: WorkerSettings): Promise<DbosTimes> {
  const pool = new pg.Pool({ connectionString: near });
  const app = dbosClient(pool);
  const clients = [await openParley(url), await openOfficial(url, PACKAGE)];
  const bare = openBare(url);
  const done = await app.start("publish", { values: MANY });
  const workflows: Workflows = {
    published: done.workflowId,
    publisher: (await app.start("publisher", null)).workflowId,
    waiting: (await app.start("waiting", null)).workflowId,
  };
  await done.result();
  const times = new Times();
  for (let round = -WARM_ROUNDS; round < rounds; round++) {
    const isEven = round % 2 === 0;
    const measureAll = async <C extends BareClient>(
      cases: Readonly<Record<string, DbosCase<C>>>,
      all: readonly C[],
    ) => {
      for (const [name, prepare] of Object.entries(cases)) {
        for (const client of isEven ? all : all.toReversed()) {
          const run = await prepare(client, workflows);
          const begin = performance.now();
          await run();
          if (round >= 0) times.record(name, client, performance.now() - begin);
        }
      }
    };
    await measureAll(BARE_CASES, [...clients, bare]);
    await measureAll(CASES, clients);
  }
  for (let round = 0; round < waits; round++) {
    for (const client of clients) {
      const key = crypto.randomUUID();
      const seen = client.getEvent(workflows.publisher, key).then((at) => Date.now() - Number(at));
      // The wait has begun, and has slept between its looks for a while.
      await new Promise((resolve) => setTimeout(resolve, 1_000 + 1_000 * round));
      await app.send(workflows.publisher, key, { topic: "set" });
      times.record("wait for an event from outside", client, await seen);
    }
  }
  await Promise.all([...clients, bare].map((client) => client.close()));
  await pool.end();
  return times.all;
}

const settings: WorkerSettings = JSON.parse(process.argv.at(-1)!);
if (settings.role === "app") await runApp(settings.near, PACKAGE);
else {
  const times = await measure(settings);
  // An exit would cut what a pipe has not taken yet.
  process.stdout.write(`@bench ${JSON.stringify(times)}\n`, () => process.exit());
}

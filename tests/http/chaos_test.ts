/**
 * A hundred clients of a server that is killed at any moment, over HTTP alone.
 *
 * `PARLEY_CHAOS_SEED` repeats a run, as far as two processes can be made to; `PARLEY_CHAOS_SECONDS` says for how long the server is killed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/time/clock.ts";
import { connect } from "../../http/client/client.ts";
import { type Client, DriverError } from "../../mod.ts";
import { startNeonStore } from "../support/adapter/neon.ts";
import { AdapterProcess } from "../support/adapter/process.ts";
import { collect, END } from "../support/adapter/workflows.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { type Random, seeded } from "../support/random.ts";

const POSTGRES = await postgresUrl();
const CLIENTS = 100;
const MESSAGES = 6;
const KILL_FOR_MS = 1_000 * Number(Deno.env.get("PARLEY_CHAOS_SECONDS") ?? 8);
/** After the last kill. */
const PATIENCE_MS = 30_000;

/** How many requests were cut off, or refused since nobody was there. */
let unanswered = 0;

/** What a client knows of its workflow in the end. */
interface Account {
  readonly workflowId: string;
  /** What it was told is sent, in order. */
  readonly acknowledged: string[];
  /** What was sent without a key of the client's own, and nobody knows whether it was. */
  readonly unknown: string[];
  /** What it read from the stream, while it was written. */
  readonly seen: { offset: number; value: string }[];
  readonly result: string[];
}

Deno.test("killing the server at any moment while 100 clients start, send and read loses nothing acknowledged and doubles nothing", async () => {
  const seed = Number(Deno.env.get("PARLEY_CHAOS_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`Chaos over HTTP: PARLEY_CHAOS_SEED=${seed}`);
  const began = performance.now();
  await using neon = await startNeonStore(POSTGRES);
  await using server = await AdapterProcess.start(neon.store);
  const killing = killAtRandom(server, seeded(seed), KILL_FOR_MS);
  const late = AbortSignal.timeout(KILL_FOR_MS + PATIENCE_MS);
  const accounts = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) => work(server, index, seeded(seed + 1 + index), late)),
  );
  const kills = await killing;
  for (const account of accounts) check(account);
  const { workflows } = await connectTo(server).list({ limit: 1_000 });
  assert.equal(workflows.length, CLIENTS, "as many workflows as clients");
  assert(
    kills >= 3 && unanswered > kills,
    `the server was killed ${kills} times, and ${unanswered} requests got no answer`,
  );
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(
    `${kills} kills, ${unanswered} requests without an answer, ${
      unknownOf(accounts)
    } sends of unknown outcome; ${seconds} s`,
  );
});

/** Kills the server and starts it again, until the time is up. */
async function killAtRandom(server: AdapterProcess, random: Random, forMs: number): Promise<number> {
  let kills = 0;
  for (const began = performance.now(); performance.now() - began < forMs; kills++) {
    await delay(systemClock, random.between(100, 1_500));
    await server.kill();
    await delay(systemClock, random.between(0, 200));
    await server.start();
  }
  return kills;
}

/** What one client does: starts a workflow, follows its stream, sends messages one after the other, and waits for the result. */
async function work(server: AdapterProcess, index: number, random: Random, late: AbortSignal): Promise<Account> {
  const client = connectTo(server);
  const workflowId = `client ${index}`;
  await delay(systemClock, random.between(0, KILL_FOR_MS / 2));
  await insist(() => client.start(collect, "hello", { workflowId }), late);
  const reading = Array.fromAsync(client.readStream<string>(workflowId, "log", { signal: late }).entries());
  reading.catch(() => {}); // It is awaited below, unless something else fails before.
  const [acknowledged, unknown]: [string[], string[]] = [[], []];
  for (let n = 0; n < MESSAGES; n++) {
    await delay(systemClock, random.between(0, KILL_FOR_MS / MESSAGES));
    const item = `${index}/${n}`;
    (await send(client, workflowId, item, { ownKey: random.between(0, 1) < 0.5, late }) ? acknowledged : unknown).push(
      item,
    );
  }
  await insist(() => client.send(workflowId, END, { topic: "item", idempotencyKey: END }), late);
  const result = await insist(() => client.handle<string[]>(workflowId).result({ signal: late }), late);
  return { workflowId, acknowledged, unknown, seen: await reading, result };
}

/** Whether it is known that it was sent. With a key of its own the client may ask until it is; without one, only `connect` may. */
async function send(
  client: Client,
  workflowId: string,
  item: string,
  { ownKey, late }: { ownKey: boolean; late: AbortSignal },
): Promise<boolean> {
  if (ownKey) {
    await insist(() => client.send(workflowId, item, { topic: "item", idempotencyKey: item }), late);
    return true;
  }
  return await client.send(workflowId, item, { topic: "item" }).then(() => true, (error) => {
    if (isPassing(error)) return false;
    throw error;
  });
}

/** Asks until there is an answer: what `connect` itself gave up on may be asked again, by its ID or key. */
async function insist<T>(ask: () => Promise<T>, late: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || late.aborted) throw error;
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof DriverError && error.retryable;
}

function check({ workflowId, acknowledged, unknown, seen, result }: Account): void {
  const known = result.filter((item) => !unknown.includes(item));
  assert.deepEqual(known, acknowledged, `${workflowId}: what was acknowledged came once, in order`);
  assert.equal(new Set(result).size, result.length, `${workflowId}: nothing came twice`);
  assert.deepEqual(
    seen,
    ["hello", ...result].map((value, offset) => ({ offset, value })),
    `${workflowId}: the stream, live`,
  );
}

function unknownOf(accounts: readonly Account[]): number {
  return accounts.reduce((sum, { unknown }) => sum + unknown.length, 0);
}

function connectTo({ url, settings: { token } }: AdapterProcess): Client {
  return connect({ url: `${url}/parley`, token, fetch: countingFetch });
}

async function countingFetch(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    unanswered++;
    throw error;
  }
}

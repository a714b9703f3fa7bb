/**
 * A worker that runs workflows over Hyperdrive: what its invocations open and wait for, and what goes
 * wrong.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { Parley } from "../../../mod.ts";
import { atNeon, Backstage } from "../../drivers/neon/support/harness.ts";
import { openPool } from "../../drivers/postgres/support/postgres.ts";
import { postgresUrl } from "../../drivers/postgres/support/server.ts";
import { quoted } from "../../drivers/postgres/support/store.ts";
import { type CostTable, readRows, replaceTable, WRITES_COSTS } from "../../support/cost_table.ts";
import { type RunningWorker, startWorker } from "../../support/workerd/mod.ts";
import { CountedWay } from "../../support/workerd/round_trips.ts";

const GUIDE = new URL("../../../docs/workers.md", import.meta.url);

const url = await postgresUrl();
const pool = await openPool(url);
const schema = `Hyperdrive ${crypto.randomUUID()}`;
await postgresDriver(pool, { schema }).migrate();

const way = new CountedWay(url);
const backstage = new Backstage(url);
const neon = await backstage.use();
const entry = "tests/workerd/entries/hyperdrive.ts";
const start = (bindings: Record<string, string>) =>
  startWorker({ entry, bindings: { SCHEMA: schema, ...bindings }, self: "SELF", hyperdrive: way.url });
const workers = {
  hyperdrive: await start({ MAX: "5" }),
  single: await start({ MAX: "1" }),
  neon: await start({ MAX: "1", NEON: neon.server.http, CONNECTION_STRING: atNeon(url) }),
};
Deno.test.afterAll(async () => {
  for (const worker of Object.values(workers)) await worker[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
  await neon[Symbol.asyncDispose]();
  await pool.query(`drop schema ${quoted(schema)} cascade`);
});

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

async function ask(worker: RunningWorker, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const headers = { authorization: "Bearer t0ken", "content-type": "application/json" };
  const init = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await worker.fetch(`/parley${path}`, init);
  assert(response.ok, await response.clone().text());
  return await response.json();
}

/** Looks and sends without a worker, whose round trips are counted. */
const outside = new Parley({ driver: postgresDriver(pool, { schema }), wake: "none" });

async function has(workflowId: string, state: "suspended" | "SUCCESS"): Promise<boolean> {
  const { status, waiting } = await outside.status(workflowId);
  return state === "suspended" ? waiting !== undefined : status === state;
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!await check()) await delay(systemClock, 10);
}

/** Starts orders, and waits until they wait for their payment. */
async function waitingOrders(worker: RunningWorker, count: number): Promise<string[]> {
  const workflowIds = Array.from({ length: count }, () => crypto.randomUUID());
  for (const workflowId of workflowIds) await ask(worker, "/workflows", { workflow: "order", workflowId });
  for (const workflowId of workflowIds) await until(() => has(workflowId, "suspended"));
  return workflowIds;
}

const SEVERAL = "sweeps, and runs 4 orders to their ends";

/** What the invocations of the table do. Each is over when what it set off is over. */
const INVOCATIONS: Record<string, (worker: RunningWorker) => Promise<() => Promise<unknown>>> = {
  "shows a workflow": async (worker) => {
    const [id] = await waitingOrders(worker, 1);
    return () => ask(worker, `/workflows/${id}`);
  },
  "reads an event": async (worker) => {
    const [id] = await waitingOrders(worker, 1);
    return () => ask(worker, `/workflows/${id}/events/state`);
  },
  "starts an order, which runs until it waits": (worker) => Promise.resolve(() => waitingOrders(worker, 1)),
  "sends the payment, and another one runs the order to its end": async (worker) => {
    const [id] = await waitingOrders(worker, 1);
    return async () => {
      await ask(worker, `/workflows/${id}/messages`, { message: "paid", topic: "payment" });
      await until(() => has(id!, "SUCCESS"));
    };
  },
  "sweeps, and finds nothing": (worker) => Promise.resolve(() => worker.scheduled()),
  [SEVERAL]: async (worker) => {
    const ids = await waitingOrders(worker, 4);
    await outside.sendAll(ids.map((destinationId) => ({ destinationId, message: "paid", topic: "payment" })));
    return () => worker.scheduled();
  },
};

/** The cells of a row, without the name. */
async function cells(prepare: (worker: RunningWorker) => Promise<() => Promise<unknown>>): Promise<string[]> {
  const run = async (worker: RunningWorker) => {
    const invoke = await prepare(worker);
    // A connection ends with the invocation that opened it. Nobody ends the pools.
    await until(() => way.open.size === 0);
    worker.outgoing.take();
    way.take();
    await invoke();
    await until(() => way.open.size === 0);
    return { ...way.take(), requests: worker.outgoing.count().requests };
  };
  const { requests } = await run(workers.neon);
  const [five, one] = [await run(workers.hyperdrive), await run(workers.single)];
  return [requests, one.connections, one.roundTrips, five.connections, five.roundTrips].map(String);
}

test("the guide says how many requests and round trips an invocation makes", async () => {
  const rows: string[][] = [];
  for (const [name, prepare] of Object.entries(INVOCATIONS)) rows.push([name, ...await cells(prepare)]);
  const head = ["An invocation that", "Neon's requests", "With `max: 1`", "statements", "With `max: 5`", "statements"];
  const table: CostTable = { head, rows };
  const guide = await Deno.readTextFile(GUIDE);
  if (WRITES_COSTS) return await Deno.writeTextFile(GUIDE, replaceTable(guide, "Hyperdrive", table));
  const said = readRows(guide, "Hyperdrive");
  assert.deepEqual(rows.map(([name]) => name), said.map(([name]) => name));
  for (const [index, [name, ...numbers]] of rows.entries()) {
    for (const [column, number] of numbers.entries()) {
      const difference = Math.abs(Number(number) - Number(said[index]![column + 1]));
      const hint = `${name}: ${head[column + 1]} is ${number}; PARLEY_WRITE_COSTS=1 writes what they make now`;
      // Which commits of several runs meet depends on how fast each one is.
      assert(difference <= (name === SEVERAL ? 2 : 0), hint);
    }
  }
});

/** Lets the worker get into trouble, and returns what it says. */
async function trouble(name: string): Promise<Record<string, unknown>> {
  return await (await workers.hyperdrive.fetch(`/trouble/${name}`)).json();
}

test("a driver that requests share works for the first one, and tells the others why it does not answer", async () => {
  assert.deepEqual(await trouble("shared"), { answer: null });
  assert.equal(
    (await trouble("shared")).message,
    "Postgres: readWorkflow failed (TIMEOUT): no answer within 500 ms, outcome unknown; in a Worker, each request " +
      "must make its own client and driver",
  );
});

test("a pool or a client that was closed is no fault that may pass", async () => {
  for (const name of ["closed", "closedClient"]) {
    const { message, retryable } = await trouble(name);
    assert.match(String(message), /the client was closed before; close the Parley first/);
    assert.equal(retryable, false);
  }
});

test("`listen` is refused, since Hyperdrive passes no notifications on", async () => {
  const { message, code } = await trouble("listen");
  assert.equal(code, "invalid_value");
  assert.match(String(message), /its connections go through Hyperdrive, which passes no notifications on/);
});

test("a connection that is lost while it is idle is replaced, though nobody listens for errors of the pool", async () => {
  assert.deepEqual(await trouble("lost"), { answer: null });
  assert.deepEqual(workers.hyperdrive.logs, []);
});

import assert from "node:assert/strict";
import type { Codec } from "../../../core/values/codec.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { Parley, type Workflow, workflow, type WorkflowContext } from "../../../mod.ts";
import { observeEvent, receive, record, YIELD } from "../../../conformance/operations.ts";
import { claimRequest, createRequest, newMessage } from "../../../conformance/requests.ts";
import { begin, beginSuspended, enqueue, take } from "../../../conformance/driven_run.ts";
import { replaceTable, WRITES_COSTS } from "../../support/cost_table.ts";
import { Bill, type CommandCost, tableOf } from "./support/bill.ts";
import { type DriverSetting, upstashDriverTest } from "./support/driver.ts";

const GUIDE = new URL("../../../docs/costs.md", import.meta.url);

/**
 * Opens a driver. The server knows its scripts, as it does after the first use of each.
 */
async function open(
  { open, server, loadScripts }: DriverSetting,
): Promise<{ driver: Driver; retaining: Driver; bill: Bill }> {
  await loadScripts();
  return { driver: open(), retaining: open({ retention: "7d" }), bill: new Bill(server) };
}

/** Operations in a workflow, each awaited by itself. */
const INSIDE: Readonly<Record<string, (ctx: WorkflowContext) => Promise<unknown>>> = {
  "step, `now`, `uuid`": (ctx) => ctx.step("step", () => 1),
  "`setEvent`": (ctx) => ctx.setEvent("event", 1),
  "`writeStream`": (ctx) => ctx.writeStream("stream", 1),
  "100 `writeStream` issued together": (ctx) =>
    Promise.all(Array.from({ length: 100 }, (_, n) => ctx.writeStream("stream", n))),
  "`closeStream`": (ctx) => ctx.closeStream("stream"),
  "`send`": (ctx) => ctx.send("other", 1),
  "10 `send` issued together": (ctx) => Promise.all(Array.from({ length: 10 }, (_, n) => ctx.send("other", n))),
  "a child's start": (ctx) => ctx.start(child, undefined, { workflowId: "child" }),
  "`recv` that finds a message": (ctx) => ctx.recv(),
  "`recvAny` over 3 topics that finds one": (ctx) => ctx.recvAny(["", "a", "b"]),
  "`getEvent` that finds a value": (ctx) => ctx.getEvent("other", "state"),
  "step, `setEvent`, `writeStream` and `send` issued together": (ctx) =>
    Promise.all([
      ctx.step("step", () => 1),
      ctx.setEvent("event", 1),
      ctx.writeStream("stream", 1),
      ctx.send("other", 1),
    ]),
};

const child = workflow("child", () => {});
const other = workflow("other", async (ctx) => {
  await ctx.setEvent("state", 1);
  await ctx.recv("never");
});

/** The cost of an operation in a workflow that has done something before. */
async function inside(
  setting: DriverSetting,
  operation: (ctx: WorkflowContext) => Promise<unknown>,
): Promise<CommandCost> {
  const prefix = `${setting.prefix}.${crypto.randomUUID().slice(0, 8)}`;
  const [driver, bill] = [setting.open({ prefix }), new Bill(setting.server)];
  let line: CommandCost | undefined;
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("before", () => 1);
    line = await bill.of(() => operation(ctx));
  });
  const parley = new Parley({
    driver,
    workflows: [flow, other, child] as Workflow<unknown, unknown>[],
    wake: "none",
    hotWait: 0,
  });
  await parley.start(other, undefined, { workflowId: "other" });
  await parley.idle();
  const handle = await parley.start(flow, undefined, { enqueue: true });
  await handle.send("a message");
  await parley.sweep();
  assert.equal((await handle.status()).status, "SUCCESS");
  return line!;
}

/** The costs of a run. */
async function runs(setting: DriverSetting): Promise<Record<string, CommandCost>> {
  const { driver, retaining, bill } = await open(setting);
  const run = await begin(driver, "w");
  const wait = receive(0, ["t"]);
  const first = await bill.of(() => run.held([wait]));
  const look = await bill.of(() => run.held([wait]));
  const renewal = await bill.of(() => run.held());
  const suspend = await bill.of(() => run.suspend([wait]));
  await driver.send([newMessage("w", { topic: "t" })]);
  const claim = await bill.of(() => take(driver, "w"));
  const long = await begin(driver, "long");
  for (let from = 0; from < 1_000; from += 100) {
    await long.held(Array.from({ length: 100 }, (_, index) => record(from + index, "1")));
  }
  await long.released([], YIELD);
  const takeOver = await bill.of(() => take(driver, "long"));
  const observer = await begin(driver, "observer");
  const suspendForEvent = await bill.of(() => observer.suspend([observeEvent(0, "w", "never")]));
  const [plain, expiring] = [await begin(driver, "plain"), await begin(retaining, "expiring")];
  return {
    "start": await bill.of(() => driver.create(createRequest("start"))),
    "start with `enqueue`": await bill.of(() => driver.create(createRequest("enqueued", { leaseMs: null }))),
    "`recv` that finds nothing": first,
    "a further look": look,
    "renewal of the lease, every 10 s without another commit": renewal,
    "suspend for a message": suspend,
    "suspend for an event or a result": suspendForEvent,
    "claim of a workflow by its ID": claim,
    "take-over, with a journal of 1,000 entries": takeOver,
    "end": await bill.of(() => plain.end()),
    "end, with `retention`": await bill.of(() => expiring.end()),
  };
}

/** The costs of looking for due workflows. */
async function sweeps(setting: DriverSetting): Promise<Record<string, CommandCost>> {
  const { driver, bill } = await open(setting);
  const claim = () => driver.claim(claimRequest());
  await enqueue(driver, "held");
  await claim();
  const nothing = await bill.of(claim);
  await enqueue(driver, "one");
  const one = await bill.of(claim);
  await enqueue(driver, ...Array.from({ length: 20 }, (_, index) => `${index}`));
  const many = await bill.of(claim);
  return { "sweep that finds nothing": nothing, "sweep that finds 1": one, "sweep that finds 20": many };
}

/** A codec for values that were written by hand. */
const codec: Codec = { encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) };

/** The costs of calls from outside. */
async function outside(setting: DriverSetting): Promise<Record<string, CommandCost>> {
  const { driver, bill, retaining } = await open(setting);
  const parley = new Parley({ driver, codec, wake: "none" });
  const run = await begin(driver, "w");
  for (let from = 0; from < 1_000; from += 100) {
    await run.held(
      Array.from(
        { length: 100 },
        () => ({ position: null, label: "", type: "writeStream", key: "log", value: "1" }) as const,
      ),
    );
  }
  await run.held([{ position: 0, label: "setEvent", type: "setEvent", key: "state", value: "1" }]);
  await beginSuspended(driver, "waits", [receive(0, ["t"])]);
  const handle = parley.handle("w");
  const keyed = { idempotencyKey: "key" };
  const costs: Record<string, CommandCost> = {
    "`send`": await bill.of(() => handle.send(1, keyed)),
    "`send` again, with the same key": await bill.of(() => handle.send(1, keyed)),
    "`send` to a workflow that is suspended for it": await bill.of(() => parley.send("waits", 1, { topic: "t" })),
    "`sendAll` of 10 to one workflow": await bill.of(() =>
      parley.sendAll(Array(10).fill({ destinationId: "w", message: 1 }))
    ),
    "`getEvent` that is there": await bill.of(() => handle.getEvent("state")),
    "1,000 values of a stream": await bill.of(() => handle.readStream("log", { wait: false }).collect()),
    "`status`": await bill.of(() => handle.status()),
  };
  await run.end();
  costs["`result` that is there"] = await bill.of(() => handle.result());
  await enqueue(driver, ...Array.from({ length: 20 }, (_, index) => `${index}`));
  costs["`list` of 10"] = await bill.of(() => parley.list({ limit: 10 }));
  costs["`list` of 10 of one status"] = await bill.of(() => parley.list({ limit: 10, status: "ENQUEUED" }));
  await parley.purge({ olderThan: 0 });
  costs["`purge` that finds nothing"] = await bill.of(() => parley.purge({ olderThan: 0 }));
  costs["`cancel`"] = await bill.of(() => parley.cancel("0"));
  costs["`resume`"] = await bill.of(() => parley.resume("0"));
  await parley.cancel("0");
  costs["`purge` of 1"] = await bill.of(() => parley.purge({ olderThan: 0 }));
  const expiring = new Parley({ driver: retaining, codec, wake: "none" });
  costs["`cancel`, with `retention`"] = await bill.of(() => expiring.cancel("1"));
  return costs;
}

/**
 * The first example of the README: a session, its URL as an event, a wait for the payment, progress
 * as a stream.
 */
async function story(setting: DriverSetting): Promise<CommandCost> {
  const { driver, bill } = await open(setting);
  const checkout = workflow("checkout", async (ctx) => {
    await ctx.setEvent("url", await ctx.step("create session", () => "https://pay.example/1"));
    const paid = await ctx.recv("payment", { timeout: "5m" });
    await ctx.writeStream("progress", "paid");
    await ctx.step("fulfil", () => paid);
    await ctx.writeStream("progress", "shipped");
  });
  const parley = new Parley({ driver, workflows: [checkout], hotWait: 0 });
  return await bill.of(async () => {
    const handle = await parley.start(checkout, undefined);
    await parley.idle();
    await handle.getEvent("url");
    await handle.send("paid", { topic: "payment", idempotencyKey: "event 1" });
    await parley.idle();
    await handle.result();
  });
}

upstashDriverTest("the guide says what each operation costs", async (setting) => {
  const lines: Record<string, CommandCost> = {};
  for (const [name, operation] of Object.entries(INSIDE)) lines[name] = await inside(setting, operation);
  const story_ = await story({
    ...setting,
    open: (options) => setting.open({ ...options, prefix: `${setting.prefix}.story` }),
  });
  const tables = {
    "Upstash, in a workflow": lines,
    "Upstash, of a run": await runs(setting),
    "Upstash, from outside": await outside({
      ...setting,
      open: (options) => setting.open({ ...options, prefix: `${setting.prefix}.outside` }),
    }),
    "Upstash, of schedulers": await sweeps({
      ...setting,
      open: (options) => setting.open({ ...options, prefix: `${setting.prefix}.sweeps` }),
    }),
    "Upstash, of the story": { "the whole of it": story_ },
  };
  const guide = await Deno.readTextFile(GUIDE);
  let expected = guide;
  for (const [name, table] of Object.entries(tables)) expected = replaceTable(expected, name, tableOf(table));
  if (WRITES_COSTS) await Deno.writeTextFile(GUIDE, expected);
  else assert.equal(guide, expected, "docs/costs.md: PARLEY_WRITE_COSTS=1 writes what it costs now");
});

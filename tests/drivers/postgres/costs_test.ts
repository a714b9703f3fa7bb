import assert from "node:assert/strict";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { Parley, type Workflow, workflow, type WorkflowContext } from "../../../mod.ts";
import { begin, beginSuspended, take } from "../../../conformance/driven_run.ts";
import { observeEvent, receive } from "../../../conformance/operations.ts";
import { claimRequest, newMessage } from "../../../conformance/requests.ts";
import { type CostTable, readRows, replaceTable, WRITES_COSTS } from "../../support/cost_table.ts";
import { postgresTest } from "./support/postgres.ts";
import { RowBill, type RowCost } from "./support/row_bill.ts";
import { startPostgres } from "./support/server.ts";

const GUIDE = new URL("../../../docs/costs.md", import.meta.url);

/** How many operations a mean is of. */
const COUNT = 100;

/** About 100 bytes. */
const VALUE = "x".repeat(100);

/** The part by which the log of one run differs from that of another, for example because pages fill at other rows. */
const MAX_WAL_DIFFERENCE = 0.05;

/**
 * By how many bytes it differs besides. PostgreSQL logs an update of a row from the first byte that changes to
 * the last. How many bytes of its times a renewal changes depends on how long ago the last one was. In a fast
 * loop a renewal took 200 bytes, and with pauses of 50 ms it took 252.
 */
const MAX_TIME_DIFFERENCE = 60;

const server = await startPostgres({ superuser: true });
const bill = await RowBill.open(server.url);
const driver = postgresDriver(bill.queryable);
await driver.migrate();

/** Operations in a workflow, each awaited by itself. */
const INSIDE: Readonly<Record<string, (ctx: WorkflowContext, number: number) => Promise<unknown>>> = {
  "step, `now`, `uuid`": (ctx) => ctx.step("step", () => VALUE),
  "`setEvent` of a new event": (ctx, number) => ctx.setEvent(`event ${number}`, VALUE),
  "`setEvent` of the same event": (ctx) => ctx.setEvent("event", VALUE),
  "`writeStream`": (ctx) => ctx.writeStream("stream", VALUE),
  "100 `writeStream` issued together": (ctx) =>
    Promise.all(Array.from({ length: 100 }, () => ctx.writeStream("stream", VALUE))),
  "`send`": (ctx) => ctx.send("other", VALUE),
  "`recv` that finds a message": (ctx) => ctx.recv(),
  "`getEvent` that finds a value": (ctx) => ctx.getEvent("other", "state"),
  "a child's start": (ctx, number) => ctx.start(child, undefined, { workflowId: `${ctx.workflowId}/${number}` }),
};

const empty = workflow("empty", () => VALUE);
const child = workflow("child", () => {});
const other = workflow("other", async (ctx) => {
  await ctx.setEvent("state", VALUE);
  await ctx.recv("never");
});

/** The costs of operations in a workflow that has done something before. */
async function inside(): Promise<Record<string, RowCost>> {
  const costs: Record<string, RowCost> = {};
  let operation: (ctx: WorkflowContext, number: number) => Promise<unknown>;
  let cost: RowCost;
  const flow = workflow("flow", async (ctx) => {
    for (let number = 0; number < 10; number++) await ctx.step("before", () => VALUE);
    cost = await bill.of(COUNT, async () => {
      for (let number = 0; number < COUNT; number++) await operation(ctx, number);
    });
  });
  const workflows = [flow, other, child] as Workflow<unknown, unknown>[];
  const parley = new Parley({ driver, workflows, wake: "none", hotWait: 0 });
  await parley.start(other, undefined, { workflowId: "other" });
  await parley.idle();
  for (const [name, run] of Object.entries(INSIDE)) {
    operation = run;
    const { workflowId } = await parley.start(flow, undefined, { enqueue: true });
    await parley.sendAll(Array.from({ length: COUNT }, () => ({ destinationId: workflowId, message: VALUE })));
    await parley.wake([workflowId]);
    assert.equal((await parley.status(workflowId)).status, "SUCCESS");
    costs[name] = cost!;
  }
  return costs;
}

async function times(run: (number: number) => Promise<unknown>): Promise<RowCost> {
  return await bill.of(COUNT, async () => {
    for (let number = 0; number < COUNT; number++) await run(number);
  });
}

/** The costs of calls from outside. */
async function outside(): Promise<Record<string, RowCost>> {
  const parley = new Parley({ driver, workflows: [empty] as Workflow<unknown, unknown>[], wake: "none" });
  return {
    "an empty workflow, from `start` to `result()`": await times(async () =>
      await (await parley.start(empty, undefined)).result()
    ),
    "`start` with `enqueue`": await times(() => parley.start(empty, undefined, { enqueue: true })),
    "`send`": await times(() => parley.send("other", VALUE)),
    "`getEvent` that finds a value": await times(() => parley.getEvent("other", "state")),
  };
}

/** The costs of a run, and of looking for due workflows. */
async function runs(): Promise<Record<string, RowCost>> {
  const many = async (id: string) => {
    const all = [];
    for (let number = 0; number < COUNT; number++) all.push(await begin(driver, `${id} ${number}`));
    return all;
  };
  const wait = receive(0, ["t"]);
  const hot = await begin(driver, "hot");
  const [forMessage, forEvent] = [await many("message"), await many("event")];
  const waiting: string[] = [];
  for (let number = 0; number < COUNT; number++) {
    waiting.push(`waiting ${number}`);
    await beginSuspended(driver, `waiting ${number}`, [wait]);
    await driver.send([newMessage(`waiting ${number}`, { topic: "t" })]);
  }
  const nothing = { ...claimRequest(), names: ["unknown"] };
  return {
    "`recv` that finds nothing, and each further look": await times(() => hot.held([wait])),
    "renewal of the lease, every 10 s without another commit": await times(() => hot.held()),
    "suspend for a message": await times((number) => forMessage[number]!.suspend([wait])),
    "suspend for an event": await times((number) => forEvent[number]!.suspend([observeEvent(0, "other", "never")])),
    "claim of a workflow by its ID": await times((number) => take(driver, waiting[number]!)),
    "a sweep that finds nothing": await times(() => driver.claim(nothing)),
  };
}

/** The cells of a cost, without the name. */
function toCells({ requests, inserted, updated, hot, indexEntries, walBytes }: RowCost): string[] {
  const round = (number: number) => String(Math.round(number * 10) / 10);
  const share = hot === null ? "" : `${Math.round(hot * 10) * 10} %`;
  return [round(requests), round(inserted), round(updated), share, round(indexEntries), String(Math.round(walBytes))];
}

const HEAD = ["Operation", "Requests", "Rows inserted", "Rows updated", "HOT", "Index entries", "WAL bytes"];

function toTable(costs: Readonly<Record<string, RowCost>>): CostTable {
  return { head: HEAD, rows: Object.entries(costs).map(([name, cost]) => [name, ...toCells(cost)]) };
}

postgresTest("the guide says what each operation costs, in requests, rows, index entries and WAL", async () => {
  const tables = {
    "PostgreSQL, in a workflow": await inside(),
    "PostgreSQL, from outside": await outside(),
    "PostgreSQL, of runs": await runs(),
  };
  let guide = await Deno.readTextFile(GUIDE);
  if (WRITES_COSTS) {
    for (const [name, costs] of Object.entries(tables)) guide = replaceTable(guide, name, toTable(costs));
    return await Deno.writeTextFile(GUIDE, guide);
  }
  for (const [name, costs] of Object.entries(tables)) {
    const rows = readRows(guide, name);
    const { rows: measured } = toTable(costs);
    const exact = (row: readonly string[]) => row.slice(0, -1);
    assert.deepEqual(measured.map(exact), rows.map(exact), "PARLEY_WRITE_COSTS=1 writes what operations cost now");
    measured.forEach((row, index) => {
      const [now, said] = [Number(row.at(-1)), Number(rows[index]!.at(-1))];
      const difference = said * MAX_WAL_DIFFERENCE + MAX_TIME_DIFFERENCE;
      assert(Math.abs(now - said) <= difference, `${row[0]}: ${now} bytes of WAL, not ${said}`);
    });
  }
});

/**
 * Counts what operations cost in an object. The answer has the counts by the names of the operations.
 *
 * @module
 */

import "./platform.ts";
import { memoryDriver, Parley, type Workflow, workflow, type WorkflowContext } from "@parley/parley";
import type { Driver } from "@parley/parley/driver";
import {
  durableObjectDriver,
  type ObjectContext,
  type ObjectNamespace,
  parleyEntrypoint,
  ParleyObject,
} from "@parley/parley/durable-object";
import { begin, beginSuspended, enqueue, take } from "../../../../conformance/driven_run.ts";
import { observeEvent, receive, record, start, YIELD } from "../../../../conformance/operations.ts";
import { claimRequest, createRequest, newMessage, newWorkflow } from "../../../../conformance/requests.ts";

/** What an operation costs: calls of the object, and rows by the platform's count. */
export interface ObjectCost {
  requests: number;
  read: number;
  written: number;
}

/** The costs of operations, by table and name. */
export type ObjectCosts = Record<"in a workflow" | "of a run" | "from outside", Record<string, ObjectCost>>;

/** What the calls of all objects have cost. */
const total: ObjectCost = { requests: 0, read: 0, written: 0 };
let isCounted = false;

interface Cursor {
  toArray(): unknown[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** An object that counts. Its alarm never fires, because it would count at any moment. */
export class Store extends ParleyObject {
  constructor(context: ObjectContext, env: unknown) {
    const { storage } = context;
    const exec = storage.sql.exec.bind(storage.sql) as (sql: string, ...params: unknown[]) => Cursor;
    storage.sql.exec = (sql, ...params) => {
      const cursor = exec(sql, ...params);
      return { toArray: () => counted(cursor), rowsWritten: cursor.rowsWritten };
    };
    storage.setAlarm = () => Promise.resolve();
    super(context, env);
  }

  override parley(call: unknown): unknown {
    isCounted = true;
    total.requests += 1;
    try {
      return super.parley(call);
    } finally {
      isCounted = false;
    }
  }
}

/** With an entry point, an object looks for what is due after each write. */
export const ParleyEntrypoint = parleyEntrypoint(() => new Parley({ driver: memoryDriver() }));

function counted(cursor: Cursor): unknown[] {
  const rows = cursor.toArray();
  if (isCounted) {
    total.read += cursor.rowsRead;
    total.written += cursor.rowsWritten;
  }
  return rows;
}

async function costOf(run: () => Promise<unknown>): Promise<ObjectCost> {
  const before = { ...total };
  await run();
  return {
    requests: total.requests - before.requests,
    read: total.read - before.read,
    written: total.written - before.written,
  };
}

/** Operations in a workflow, each awaited by itself. */
const INSIDE: Readonly<Record<string, (ctx: WorkflowContext) => Promise<unknown>>> = {
  "step, `now`, `uuid`": (ctx) => ctx.step("step", () => 1),
  "`setEvent`": (ctx) => ctx.setEvent("event", 1),
  "`writeStream`": (ctx) => ctx.writeStream("stream", 1),
  "100 `writeStream` issued together": (ctx) =>
    Promise.all(Array.from({ length: 100 }, (_, n) => ctx.writeStream("stream", n))),
  "`send`": (ctx) => ctx.send("other", 1),
  "`recv` that finds a message": (ctx) => ctx.recv(),
  "`getEvent` that finds a value": (ctx) => ctx.getEvent("other", "state"),
};

const other = workflow("other", async (ctx) => {
  await ctx.setEvent("state", 1);
  await ctx.recv("never");
});

/** Opens a driver over a new object that is set up. */
async function open(env: Env): Promise<Driver> {
  const driver = durableObjectDriver(env.STORE, { name: crypto.randomUUID(), push: false });
  await driver.readWorkflow("none");
  return driver;
}

async function inside(env: Env, operation: (ctx: WorkflowContext) => Promise<unknown>): Promise<ObjectCost> {
  let cost: ObjectCost | undefined;
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("before", () => 1);
    cost = await costOf(() => operation(ctx));
  });
  const workflows = [flow, other] as Workflow<unknown, unknown>[];
  const parley = new Parley({ driver: await open(env), workflows, wake: "none", hotWait: 0 });
  await parley.start(other, undefined, { workflowId: "other" });
  await parley.idle();
  const handle = await parley.start(flow, undefined, { enqueue: true });
  await handle.send("a message");
  await parley.sweep();
  return cost!;
}

async function runs(env: Env): Promise<Record<string, ObjectCost>> {
  const driver = await open(env);
  const run = await begin(driver, "w");
  const wait = receive(0, ["t"]);
  const costs: Record<string, ObjectCost> = {
    "start": await costOf(() => driver.create(createRequest("start"))),
    "start with `enqueue`": await costOf(() => driver.create(createRequest("enqueued", { leaseMs: null }))),
    "`recv` that finds nothing": await costOf(() => run.held([wait])),
    "a further look": await costOf(() => run.held([wait])),
    "renewal of the lease, every 10 s without another commit": await costOf(() => run.held()),
    "suspend for a message": await costOf(() => run.suspend([wait])),
  };
  const observer = await begin(driver, "observer");
  costs["a child's start"] = await costOf(() => observer.held([start(0, newWorkflow("child"))]));
  costs["suspend for an event or a result"] = await costOf(() => observer.suspend([observeEvent(1, "w", "never")]));
  await driver.send([newMessage("w", { topic: "t" })]);
  costs["claim of a workflow by its ID"] = await costOf(() => take(driver, "w"));
  const long = await begin(driver, "long");
  for (let from = 0; from < 1_000; from += 100) {
    await long.held(Array.from({ length: 100 }, (_, index) => record(from + index, "1")));
  }
  await long.released([], YIELD);
  costs["take-over, with a journal of 1,000 entries"] = await costOf(() => take(driver, "long"));
  const plain = await begin(driver, "plain");
  costs["end"] = await costOf(() => plain.end());
  return costs;
}

async function outside(env: Env): Promise<Record<string, ObjectCost>> {
  const driver = await open(env);
  const run = await begin(driver, "w");
  const values = Array.from(
    { length: 1_000 },
    () => ({ position: null, label: "", type: "writeStream", key: "log", value: "1" }) as const,
  );
  await run.held(values);
  await run.held([{ position: 0, label: "setEvent", type: "setEvent", key: "state", value: "1" }]);
  await beginSuspended(driver, "waits", [receive(0, ["t"])]);
  const send = (id: string, topic = "t") => costOf(() => driver.send([newMessage(id, { topic })]));
  const query = { statuses: null, name: null, problem: false, values: false, limit: 10, cursor: null };
  const costs: Record<string, ObjectCost> = {
    "`send`": await send("w"),
    "`send` to a workflow that is suspended for it": await send("waits"),
    "`getEvent` that is there": await costOf(() => driver.readEvent({ workflowId: "w", key: "state" })),
    "1,000 values of a stream": await costOf(() =>
      driver.readStream({ workflowId: "w", key: "log", from: 0, limit: 1_000 })
    ),
    "`status`": await costOf(() => driver.readWorkflow("w")),
  };
  await take(driver, "waits");
  costs["a sweep that finds nothing"] = await costOf(() => driver.claim(claimRequest()));
  for (let index = 0; index < 20; index++) {
    await enqueue(driver, `${index}`);
    // Rows of one millisecond would be sorted among each other.
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  costs["`list` of 10"] = await costOf(() => driver.listWorkflows(query));
  costs["a sweep that finds 20"] = await costOf(() => driver.claim(claimRequest()));
  costs["`cancel`"] = await costOf(() => driver.control({ workflowId: "w", action: "cancel" }));
  costs["`purge` that finds nothing"] = await costOf(() => driver.purge({ olderThanMs: 3_600_000, limit: 100 }));
  return costs;
}

interface Env {
  readonly STORE: ObjectNamespace;
}

export default {
  async fetch(_request: Request, env: Env): Promise<Response> {
    const own: Record<string, ObjectCost> = {};
    for (const [name, operation] of Object.entries(INSIDE)) own[name] = await inside(env, operation);
    const costs: ObjectCosts = {
      "in a workflow": own,
      "of a run": await runs(env),
      "from outside": await outside(env),
    };
    return Response.json(costs);
  },
};

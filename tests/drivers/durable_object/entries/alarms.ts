/**
 * A Worker without a cron trigger, whose objects call it back. Each request is an operation, as JSON.
 *
 * @module
 */

import { Parley, schedule, workflow } from "@parley/parley";
import {
  durableObjectDriver,
  type ObjectContext,
  type ObjectNamespace,
  parleyEntrypoint,
  ParleyObject,
} from "@parley/parley/durable-object";
import type { Driver } from "@parley/parley/driver";

interface Env {
  readonly STORE: ObjectNamespace;
}

interface Invocation {
  waitUntil(work: Promise<unknown>): void;
}

/** An operation on the object with a name. */
export interface Wish {
  readonly object: string;
  readonly do: "start" | "send" | "fail" | "look" | "open" | "reset" | "counts" | "migrate";
  /** Of `start`. */
  readonly workflow?: string;
  /** Inputs by workflow IDs, or the ID for one message. */
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly enqueue?: boolean;
  /** When the workflows begin, from now, in milliseconds; negative for a time that has passed. */
  readonly beginIn?: number;
  /** Whether the platform is to wait for the runs. Without that they die with the request. */
  readonly waitUntil?: boolean;
}

/** What an object shows of a workflow. Times are the store's, in epoch milliseconds. */
export interface Seen {
  readonly id: string;
  readonly status: string;
  readonly output: string | null;
  /** Of the first wait: its deadline, and when its outcome was recorded. */
  readonly deadline: number | null;
  readonly endedAt: number | null;
  /** How often its steps have run, in this process. */
  readonly tries: number;
  readonly createdAt: number;
}

/** How often the objects have called back, how often the alarm fired, and how often steps have run. */
const counts = { calls: {} as Record<string, number>, alarms: {} as Record<string, number> };
const tries = new Map<string, number>();

const tried = (workflowId: string): number => {
  const count = (tries.get(workflowId) ?? 0) + 1;
  tries.set(workflowId, count);
  return count;
};

/** Waits for a message, with a deadline in milliseconds. */
const waiter = workflow("waiter", async (ctx, timeout: number) => {
  const message = await ctx.recv<string>("news", { timeout, otherwise: "nothing" });
  await ctx.step("count", () => tried(ctx.workflowId));
  return message;
});

/** Hangs the first time, and so dies with its invocation. */
const hanging = workflow(
  "hanging",
  async (ctx) => await ctx.step("hang", () => tried(ctx.workflowId) === 1 ? new Promise<string>(() => {}) : "went on"),
);

/** Three steps with pauses. */
const steady = workflow("steady", async (ctx, pause: number) => {
  for (const step of ["a", "b", "c"]) {
    await ctx.step(step, async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return tried(`${ctx.workflowId} ${step}`);
    });
    await ctx.sleep(pause);
  }
  return "steady";
});

const ticking = workflow("ticking", () => "ticked");
const SCHEDULES = [schedule("tick", "* * * * * *", ticking)];

function parleyFor(env: Env, name: string, waitUntil: (work: Promise<unknown>) => void): Parley {
  return new Parley({
    driver: durableObjectDriver(env.STORE, { name }),
    workflows: [waiter, hanging, steady, ticking],
    schedules: name === "scheduled" ? SCHEDULES : [],
    waitUntil,
    wake: "none",
    hotWait: 0,
    lease: "1s",
    onError: () => {},
  });
}

/** An object that can be reset, and counts its alarms. */
export class Store extends ParleyObject {
  readonly #context: ObjectContext & { abort(reason: string): void };

  constructor(context: ObjectContext & { abort(reason: string): void }, env: unknown) {
    super(context, env);
    this.#context = context;
  }

  override alarm(): void {
    const name = this.#context.id.name ?? "";
    counts.alarms[name] = (counts.alarms[name] ?? 0) + 1;
    super.alarm();
  }

  reset(): void {
    this.#context.abort("a reset by a test");
  }
}

export const ParleyEntrypoint = parleyEntrypoint((env: Env, context, name) => {
  const calls = counts.calls[name] = (counts.calls[name] ?? 0) + 1;
  // The first calls of this object do not arrive.
  if (name === "unreachable" && calls < 3) throw new Error("the Worker is not there yet");
  return parleyFor(env, name, (work) => context.waitUntil(work));
});

async function carryOut(wish: Wish, env: Env, context: Invocation): Promise<unknown> {
  const { object, workflow = "waiter", inputs = {}, enqueue = false, beginIn, waitUntil = true } = wish;
  const parley = parleyFor(env, object, (work) => waitUntil && context.waitUntil(work));
  switch (wish.do) {
    case "start":
      for (const [workflowId, input] of Object.entries(inputs)) {
        const at = beginIn === undefined ? {} : { at: Date.now() + beginIn };
        await parley.start(workflow, input, { workflowId, enqueue, ...at });
      }
      if (waitUntil) await parley.idle();
      return {};
    case "send":
      for (const [workflowId, message] of Object.entries(inputs)) {
        await parley.send(workflowId, message, { topic: "news", idempotencyKey: "k" });
      }
      return {};
    case "fail": {
      // A write that SQLite refuses, and a read.
      const driver = durableObjectDriver(env.STORE, { name: object });
      const input = "x".repeat(2_300_000);
      const query = { statuses: null, name: null, problem: false, values: false, limit: 1, cursor: "no cursor" };
      const calls = [
        driver.create({ workflowId: "too large", name: "waiter", input, owner: "nobody", leaseMs: null }),
        driver.listWorkflows(query),
      ];
      return (await Promise.allSettled(calls)).map(({ status }) => status);
    }
    case "look":
      return await look(durableObjectDriver(env.STORE, { name: object }));
    case "open": {
      const query = { name: null, problem: false, values: false, limit: 1, cursor: null };
      const statuses = ["ENQUEUED" as const, "PENDING" as const];
      return (await durableObjectDriver(env.STORE, { name: object }).listWorkflows({ ...query, statuses })).workflows;
    }
    case "reset":
      await (env.STORE.get(env.STORE.idFromName(object)) as { reset(): Promise<void> }).reset().catch(() => {});
      return {};
    case "migrate":
      await durableObjectDriver(env.STORE, { name: object }).migrate();
      return {};
    case "counts":
      return { calls: counts.calls[object] ?? 0, alarms: counts.alarms[object] ?? 0 };
  }
}

/** Looks at all workflows of an object. */
async function look(driver: Driver): Promise<Seen[]> {
  const seen: Seen[] = [];
  const query = { statuses: null, name: null, problem: false, values: true, limit: 1_000 };
  for (let cursor: string | null = null, more = true; more; more = cursor !== null) {
    const page = await driver.listWorkflows({ ...query, cursor });
    cursor = page.cursor;
    for (const { workflowId, status, output, createdAt } of page.workflows) {
      const { items } = await driver.readHistory({ workflowId, after: null, limit: 1 });
      const [first] = items;
      seen.push({
        id: workflowId,
        status,
        output: output ?? null,
        deadline: first?.deadline ?? null,
        endedAt: first?.endedAt ?? null,
        tries: tries.get(workflowId) ?? 0,
        createdAt,
      });
    }
  }
  return seen;
}

export default {
  async fetch(request: Request, env: Env, context: Invocation): Promise<Response> {
    try {
      return Response.json(await carryOut(await request.json(), env, context));
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    }
  },
};

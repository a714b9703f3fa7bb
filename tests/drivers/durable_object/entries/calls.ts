/**
 * A Worker whose paths are scenes. Each answers what it has seen, as JSON.
 *
 * @module
 */

import { memoryDriver, Parley, type ParleyOptions, workflow } from "@parley/parley";
import type { Driver } from "@parley/parley/driver";
import {
  durableObjectDriver,
  type ObjectContext,
  type ObjectNamespace,
  ParleyObject,
} from "@parley/parley/durable-object";
import { claimRequest, newMessage } from "../../../../conformance/requests.ts";

interface Env {
  readonly STORE: ObjectNamespace;
  /** A class without SQLite. */
  readonly PLAIN: ObjectNamespace;
}

/** How often each object has come into memory. */
const instances = new Map<string, number>();

/** An object that can be reset, and shows its sockets. */
export class Store extends ParleyObject {
  readonly #context: ObjectContext & { abort(reason: string): void };

  constructor(context: ObjectContext & { abort(reason: string): void }, env: unknown) {
    super(context, env);
    const { name = "" } = context.id;
    instances.set(name, (instances.get(name) ?? 0) + 1);
    this.#context = context;
  }

  reset(): void {
    this.#context.abort("a reset by a test");
  }

  sockets(): number {
    return this.#context.getWebSockets().length;
  }

  /** Begins to close all sockets, and makes a call before the platform has let go of them. */
  callWhileClosing(call: unknown): { sockets: number; answer: unknown } {
    for (const socket of this.#context.getWebSockets()) socket.close(1000);
    return { sockets: this.sockets(), answer: this.parley(call) };
  }
}

/** The same class, which the configuration declares without SQLite. */
export class Plain extends ParleyObject {}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (error: unknown) => String((error as { code?: string }).code);
const codeFrom = (work: Promise<unknown>) => work.then(() => "done", codeOf);

const waiter = workflow("waiter", async (ctx) => await ctx.recv<string>("news"));
const echo = workflow("echo", (_ctx, input: unknown) => input);
const courier = workflow("courier", async (ctx, to: string) => await ctx.send(to, "a parcel"));

/** A driver that counts its calls. */
function counted(driver: Driver): { driver: Driver; calls: () => number } {
  let calls = 0;
  const handler: ProxyHandler<Driver> = {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function" || name === "watch") return member;
      return (...args: unknown[]) => (calls += 1, member(...args));
    },
  };
  return { driver: new Proxy(driver, handler), calls: () => calls };
}

function parleyAt(driver: Driver, options: Partial<ParleyOptions> = {}): Parley {
  return new Parley({ driver, workflows: [waiter, echo, courier], wake: "none", onError: () => {}, ...options });
}

const SCENES: Record<string, (env: Env) => Promise<unknown>> = {
  /** Something waits in memory, the object is reset, or out of memory, or neither, and a message comes. */
  async hot(env) {
    const [calm, reset, asleep] = await Promise.all([waitHot(env, false), waitHot(env, true), waitAsleep(env)]);
    return { calm, reset, asleep };
  },

  async shards({ STORE }) {
    const shard = (workflowId: string) => workflowId.slice(0, 1);
    const sharded = durableObjectDriver(STORE, { shard });
    const parley = parleyAt(sharded);
    for (const workflowId of ["a1", "a2", "b1"]) await parley.start(waiter, null, { workflowId, enqueue: true });
    await parley.start(courier, "b1", { workflowId: "a3", enqueue: true });
    await parley.start(courier, "a1", { workflowId: "a4", enqueue: true });
    const errors: unknown[] = [];
    const ofA = parleyAt(durableObjectDriver(STORE, { shard, name: "a" }), { onError: (error) => errors.push(error) });
    const message = (destinationId: string) => ({ destinationId, message: "hello", topic: "news" });
    return {
      apart: await codeFrom(parley.sendAll([message("a1"), message("b1")])),
      together: await codeFrom(parley.sendAll([message("a1"), message("a2")])),
      one: await codeFrom(parley.send("b1", "hello", { topic: "news" })),
      list: await codeFrom(parley.list()),
      sweep: await codeFrom(parley.sweep()),
      purge: await codeFrom(parley.purge({ olderThan: "1d" })),
      none: await codeFrom(parleyAt(durableObjectDriver(STORE, { shard: () => "" })).status("a1")),
      claimOfNone: await sharded.claim(claimRequest({ workflowIds: [] })),
      woken: await parley.wake(["a1", "b1", "a4"]),
      swept: (await ofA.sweep()).claimed,
      refused: errors.map(codeOf),
      listed: (await ofA.list()).workflows.map(({ workflowId, status }) => `${workflowId} ${status}`).toSorted(),
    };
  },

  async closing({ STORE }) {
    const name = "closing";
    const driver = durableObjectDriver(STORE, { name });
    await parleyAt(driver).start(waiter, null, { workflowId: "w", enqueue: true });
    const watch = driver.watch!("inbox:w", () => {});
    for (let tries = 0; !watch.live && tries < 100; tries++) await pause(50);
    const object = STORE.get(STORE.idFromName(name)) as {
      callWhileClosing(call: unknown): Promise<{ sockets: number; answer: Record<string, unknown> }>;
    };
    const args = [[newMessage("w", { topic: "news" })]];
    const { sockets, answer } = await object.callWhileClosing({ object: name, method: "send", args });
    watch.close();
    return { sockets, answer: Object.keys(answer) };
  },

  async large({ STORE }) {
    const driver = durableObjectDriver(STORE, { name: "large" });
    const parley = parleyAt(driver, { maxValueBytes: 2 ** 22 });
    const text = (bytes: number) => "x".repeat(bytes);
    const result = async (workflowId: string, bytes: number) => {
      const handle = await parley.start(echo, text(bytes), { workflowId });
      return (await handle.result() as string).length;
    };
    const errors: unknown[] = [];
    const reporting = parleyAt(driver, { maxValueBytes: 2 ** 22, onError: (error) => errors.push(error) });
    await reporting.start(echo, text(1_500_000), { workflowId: "both" });
    await reporting.idle();
    return {
      mebibyte: await result("mebibyte", 2 ** 20 - 10),
      refused: await codeFrom(parley.start(echo, text(2_000_001), { workflowId: "refused" })),
      together: errors.map((error) => {
        const { code, bytes, limit, message } = error as Record<string, unknown>;
        return { code, bytes, limit, message };
      }),
      status: (await parley.status("both")).status,
      ...await sendLarge(driver),
    };
  },

  async wrong({ STORE, PLAIN }) {
    const stub = STORE.get(STORE.idFromName("x")) as ObjectNamespace;
    const attempt = (namespace: unknown, options = {}) => {
      try {
        durableObjectDriver(namespace as ObjectNamespace, options);
        return "made";
      } catch (error) {
        return `${codeOf(error)}: ${(error as Error).message}`;
      }
    };
    const plain: { message?: string; retryable?: boolean } = await durableObjectDriver(PLAIN).readWorkflow("w").then(
      () => ({}),
      (error) => error,
    );
    return {
      stub: attempt(stub),
      driver: attempt(memoryDriver()),
      nothing: attempt(undefined),
      name: attempt(STORE, { name: "" }),
      plain: [plain.message, plain.retryable],
    };
  },
};

/** Sends messages of just below 1 MiB with the default limit, one by one and together. */
async function sendLarge(driver: Driver): Promise<Record<"sentAlone" | "sentTogether", string>> {
  const parley = parleyAt(driver);
  for (const workflowId of ["x", "y"]) await parley.start(waiter, null, { workflowId, enqueue: true });
  const message = (destinationId: string) => ({ destinationId, message: "m".repeat(2 ** 20 - 10), topic: "news" });
  return {
    sentAlone: await codeFrom(parley.sendAll([message("x")])),
    sentTogether: await codeFrom(parley.sendAll([message("x"), message("y")])),
  };
}

async function waitHot({ STORE }: Env, isReset: boolean): Promise<unknown> {
  const name = isReset ? "hot and reset" : "hot";
  const object = STORE.get(STORE.idFromName(name)) as { sockets(): Promise<number> };
  const { driver, calls } = counted(durableObjectDriver(STORE, { name }));
  const parley = parleyAt(driver, { hotWait: "1m" });
  const handle = await parley.start(waiter, null, { workflowId: "w" });
  await pause(500);
  const open = await object.sockets();
  const before = calls();
  await pause(1_500);
  const whileWaiting = calls() - before;
  if (isReset) {
    await (STORE.get(STORE.idFromName(name)) as { reset(): Promise<void> }).reset().catch(() => {});
    await pause(500);
  }
  const began = Date.now();
  await parleyAt(durableObjectDriver(STORE, { name })).send("w", "hello", { topic: "news" });
  await parley.idle();
  const tookMs = Date.now() - began;
  await pause(2_000);
  const left = await (STORE.get(STORE.idFromName(name)) as { sockets(): Promise<number> }).sockets();
  return { open, whileWaiting, tookMs, left, result: await handle.result() };
}

/** The platform takes an object out of memory that nobody has called for about ten seconds. */
async function waitAsleep({ STORE }: Env): Promise<unknown> {
  const name = "asleep";
  const driver = durableObjectDriver(STORE, { name });
  const parley = parleyAt(driver);
  await parley.start(waiter, null, { workflowId: "w", enqueue: true });
  let hints = 0;
  const watch = driver.watch!("inbox:w", () => hints += 1);
  await pause(14_000);
  const before = hints;
  await parley.send("w", "hello", { topic: "news" });
  await pause(500);
  watch.close();
  return { hints: hints - before, instances: instances.get(name) };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const scene = SCENES[new URL(request.url).pathname.slice(1)]!;
    try {
      return Response.json(await scene(env));
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    }
  },
};

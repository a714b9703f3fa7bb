/**
 * The suites of drivers in a Worker, over an object. The path of a request names a test, by its
 * number in the list that `/` answers.
 *
 * @module
 */

import "./platform.ts";
import assert from "node:assert/strict";
import { systemClock } from "../../../../core/time/clock.ts";
import { ManualClock } from "@parley/parley/testing";
import { conformance, workflows } from "../../../../conformance/mod.ts";
import { carryOn, EXPECTED, lookBack, story, tell } from "../../../../conformance/workflows/everything.ts";
import { World } from "../../../../conformance/workflows/world.ts";
import type { CrashCalls } from "../../../../conformance/workflows/replay/crash.ts";
import { openDurableObject } from "../../../../drivers/durable_object/driver.ts";
import { ParleyObject } from "../../../../drivers/durable_object/mod.ts";
import type { ObjectContext, ObjectNamespace } from "../../../../drivers/durable_object/platform.ts";
import { OBJECT_TIMING } from "../../../../drivers/durable_object/push.ts";
import { costs, type CountingHarness } from "../../../support/costs.ts";
import { randomPrograms } from "../../../support/programs.ts";
import { replayPrograms } from "../../../support/replays/mod.ts";
import { counted, Requests } from "../../../support/requests.ts";

const HOUR_MS = 3_600_000;
const BEGIN = Date.UTC(2025, 0, 1) + HOUR_MS;

/** When the object is reset: in the call of this number from now on, and at which moment of it. */
let reset: { call: number; when: "before" | "within" | "after" } | undefined;

/** The store's clock. The object runs in the isolate of the Worker, and may be reset. */
const storeClock = {
  value: BEGIN,
  now: () => storeClock.value,
};

/** An object whose clock the tests move, and which they reset. */
export class TestObject extends ParleyObject {
  readonly #context: ResettableContext;

  constructor(context: ResettableContext, env: unknown) {
    super(context, env, { storeClock });
    this.#context = context;
  }

  /** Carries out a call, or is reset in it. Only after `sync`, what it has written is kept. */
  override async parley(call: unknown): Promise<unknown> {
    const when = reset && --reset.call === 0 ? reset.when : undefined;
    if (when === "before") this.#context.abort("a reset before the call");
    const answer = super.parley(call);
    if (when === "after") await this.#context.storage.sync();
    if (when !== undefined) this.#context.abort("a reset after the call");
    return answer;
  }

  /** Removes all rows, because new objects take more time. */
  empty(): void {
    const { sql } = this.#context.storage;
    const tables = sql.exec("select name from sqlite_master where type = 'table' and name like 'parley_%'").toArray();
    for (const { name } of tables as { name: string }[]) {
      if (name !== "parley_migrations" && name !== "parley_object") sql.exec(`delete from ${name}`).toArray();
    }
  }
}

type ResettableContext = ObjectContext & { abort(reason: string): void; readonly storage: { sync(): Promise<void> } };

interface Env {
  readonly STORE: ObjectNamespace;
  /** How thorough the crash tests are, as JSON. */
  readonly CRASHES: string;
}

/** The environment of the request, since the suites make their harness without it. */
let env: Env;
const tests = new Map<string, () => Promise<void>>();

/** Two drivers over one object, with push. */
const pushed = () => makeHarness(true);

/** The same without push. It takes half as long. */
const quiet = () => makeHarness(false);

async function makeHarness(push: boolean): Promise<CountingHarness> {
  const { STORE } = env;
  await (STORE.get(STORE.idFromName("parley")) as Pick<TestObject, "empty">).empty();
  storeClock.value = BEGIN;
  const requests = new Requests();
  const clock = new ManualClock(undefined, { settled: () => requests.settled() });
  // Push opens and closes at once, because the suites wait often and briefly.
  const timing = { ...OBJECT_TIMING, openAfterMs: 0, lingerMs: 0 };
  const open = () => openDurableObject(STORE, { push }, { timing });
  const [a, b] = [open(), open()];
  return {
    drivers: [counted(a.driver, requests), counted(b.driver, requests)],
    clock,
    async advance(ms) {
      storeClock.value += ms;
      await clock.advance(Math.max(0, ms));
    },
    requests: () => requests.count,
    async [Symbol.asyncDispose]() {
      await Promise.all([a, b].flatMap(({ pushes }) => [...pushes.values()]).map(({ idle }) => idle));
    },
  };
}

function register(crashes: CrashCalls): void {
  const test = (name: string, run: () => Promise<void>) => {
    if (tests.has(name)) throw new Error(`There are two tests "${name}"`);
    tests.set(name, run);
  };
  conformance(test, pushed);
  workflows(test, quiet, { crashes });
  costs(test, quiet);
  randomPrograms(test, pushed, { runs: 10 });
  replayPrograms(test, pushed, { runs: 20 });
  for (const when of ["before", "within", "after"] as const) {
    test(`the object may be reset at any call, ${when} it`, () => resetEverywhere(when, crashes));
  }
}

/** Tells the story again and again. Each time the object is reset in another call. */
async function resetEverywhere(when: "before" | "within" | "after", crashes: CrashCalls): Promise<void> {
  const { first, step } = typeof crashes === "object" ? { first: 1, step: 2 * crashes.step } : { first: 1, step: 1 };
  for (let call = first, reached = true; reached; call += step) {
    await using harness = await quiet();
    const world = new World(harness);
    const { parley, errors } = world.isolate(0, story, { clock: systemClock });
    reset = { call, when };
    await world.until(tell(parley));
    await carryOn(world, parley);
    assert.deepEqual(await lookBack(parley), EXPECTED, `with a reset ${when} call ${call}`);
    assert.deepEqual(errors, []);
    reached = reset.call < 1;
    reset = undefined;
  }
}

export default {
  async fetch(request: Request, bindings: Env): Promise<Response> {
    env = bindings;
    if (tests.size === 0) register(JSON.parse(env.CRASHES));
    const { pathname } = new URL(request.url);
    if (pathname === "/") return Response.json([...tests.keys()]);
    const [name, run] = [...tests][Number(pathname.slice(1))]!;
    try {
      await run();
      return new Response(null, { status: 204 });
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500, statusText: name });
    }
  },
};

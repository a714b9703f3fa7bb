/**
 * The suites of drivers in a Worker, over an object. The path of a request names a test, by its
 * number in the list that `/` answers.
 *
 * @module
 */

import "./platform.ts";
import { ManualClock } from "@parley/parley/testing";
import { conformance, workflows } from "../../../../conformance/mod.ts";
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

/** An object whose clock the tests move. */
export class TestObject extends ParleyObject {
  readonly #clock: { value: number };
  readonly #context: ObjectContext;

  constructor(context: ObjectContext, env: unknown) {
    const clock = { value: BEGIN };
    super(context, env, { storeClock: { now: () => clock.value } });
    this.#clock = clock;
    this.#context = context;
  }

  /** Moves the store's clock. */
  move(ms: number): void {
    this.#clock.value += ms;
  }

  /** Removes all rows, because new objects take more time. */
  empty(): void {
    const { sql } = this.#context.storage;
    const tables = sql.exec("select name from sqlite_master where type = 'table' and name like 'parley_%'").toArray();
    for (const { name } of tables as { name: string }[]) {
      if (name !== "parley_migrations" && name !== "parley_object") sql.exec(`delete from ${name}`).toArray();
    }
    this.#clock.value = BEGIN;
  }
}

interface Env {
  readonly STORE: ObjectNamespace;
  /** How thorough the crash tests are. */
  readonly CRASHES: CrashCalls;
  readonly PUSH: "yes" | "no";
}

/** The environment of the request, since the suites make their harness without it. */
let env: Env;
const tests = new Map<string, () => Promise<void>>();

/** Two drivers over one object. */
async function makeHarness(): Promise<CountingHarness> {
  const { STORE } = env;
  const object = () => STORE.get(STORE.idFromName("parley")) as Pick<TestObject, "move" | "empty">;
  await object().empty();
  const requests = new Requests();
  const clock = new ManualClock(undefined, { settled: () => requests.settled() });
  // Push opens and closes at once, because the suites wait often and briefly.
  const timing = { ...OBJECT_TIMING, openAfterMs: 0, lingerMs: 0 };
  const open = () => openDurableObject(STORE, { push: env.PUSH === "yes" }, { timing });
  const [a, b] = [open(), open()];
  return {
    drivers: [counted(a.driver, requests), counted(b.driver, requests)],
    clock,
    async advance(ms) {
      await object().move(ms);
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
  conformance(test, makeHarness);
  workflows(test, makeHarness, { crashes });
  costs(test, makeHarness);
  randomPrograms(test, makeHarness, { runs: 10 });
  replayPrograms(test, makeHarness, { runs: 20 });
}

export default {
  async fetch(request: Request, bindings: Env): Promise<Response> {
    env = bindings;
    if (tests.size === 0) register(env.CRASHES);
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

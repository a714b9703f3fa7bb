/**
 * Rules for `patched`: code that has changed tells the workflows that are under way from others.
 *
 * @module
 */

import assert from "node:assert/strict";
import { nextTask } from "../../../core/time/clock.ts";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import type { Fault } from "../../faults.ts";
import { type Rules, rulesFor } from "../../suite.ts";
import type { Isolate, World } from "../world.ts";

type Code = (ctx: WorkflowContext) => Promise<unknown>;

/** Sizes of pages that cut the journals below at every place. */
const PAGE_SIZES = [1, 2, 3, 1_000];

/** An isolate whose code is one version of the workflow. It runs only what it sweeps. */
function deploy(world: World, code: Code, options: Parameters<World["isolate"]>[2] = {}): Isolate {
  return world.isolate(0, [workflow("flow", code)], { wake: "none", ...options });
}

/** Stores the workflow, and runs it with one version until it waits or dies. */
async function begin(world: World, code: Code, options: Parameters<World["isolate"]>[2] = {}): Promise<void> {
  const { parley } = deploy(world, code, options);
  await parley.start("flow", undefined, { workflowId: "w", enqueue: true });
  await world.until(parley.sweep());
}

/** Sends a message, and runs the workflow with another version. Returns its output. */
async function goOn(world: World, code: Code, options: Parameters<World["isolate"]>[2] = {}): Promise<unknown> {
  const { parley, errors } = deploy(world, code, options);
  await parley.send("w", "message");
  await world.until(parley.sweep());
  assert.deepEqual(errors, []);
  return (await parley.handle("w").status()).output;
}

/** Runs one version until this many outcomes are recorded. Then the process dies. */
async function dieAfter(world: World, code: Code, outcomes: number): Promise<void> {
  const { parley, driver } = deploy(world, code, { lease: "5s" });
  await parley.start("flow", undefined, { workflowId: "w", enqueue: true });
  void parley.sweep().catch(() => {});
  await world.untilTrue(async () => (await recorded(world)).length === outcomes);
  driver.kill();
  await world.pass(5_001);
}

/** Lets the code of a run continue before each answer of the store. */
const slow: Fault[] = Array.from({ length: 20 }, (_, n) => ({
  call: n + 1,
  when: "after",
  what: async () => {
    for (let task = 0; task < 5; task++) await nextTask();
  },
}));

/** The labels that are recorded, by position. */
async function recorded(world: World): Promise<string[]> {
  const { entries } = await world.harness.drivers[1].readJournal({ workflowId: "w", after: 0, limit: 100 });
  return entries.toSorted((a, b) => a.position - b.position).map(({ label }) => label);
}

const PATCHED = 'patched "p"';

/** Code before a change whose journal has something where the changed code asks. */
const befores: [what: string, before: Code, after: Code][] = [
  ["a step", async (ctx) => {
    await ctx.step("old", () => 1);
    return await ctx.recv();
  }, async (ctx) => {
    const isPatched = await ctx.patched("p");
    await ctx.step("old", () => 2);
    return [isPatched, await ctx.recv()];
  }],
  ["an open wait", async (ctx) => await ctx.recv(), async (ctx) => [await ctx.patched("p"), await ctx.recv()]],
  ["a step between two tries", async (ctx) => {
    return await Promise.all([ctx.step("try", () => Promise.reject(new Error("no")), { retries: 3 }), ctx.recv()]);
  }, async (ctx) => {
    const isPatched = await ctx.patched("p");
    const [tries, message] = await Promise.all([ctx.step("try", ({ attempt }) => attempt), ctx.recv()]);
    assert.equal(tries, 2);
    return [isPatched, message];
  }],
  ["another patch", async (ctx) => {
    assert(await ctx.patched("earlier"));
    return await ctx.recv();
  }, async (ctx) => {
    const isPatched = await ctx.patched("p");
    assert(await ctx.patched("earlier"));
    return [isPatched, await ctx.recv()];
  }],
];

/** Asking whether code is patched. */
export const patched: Rules<World> = {
  "patched() is true for a run that reaches it live, and on each replay, and is recorded once": async (world) => {
    const seen: boolean[] = [];
    const code: Code = async (ctx) => {
      seen.push(await ctx.patched("p"));
      return [await ctx.step("new", () => 1), await ctx.recv(), await ctx.recv()];
    };
    await begin(world, code);
    await goOn(world, code);
    assert.deepEqual(await goOn(world, code), [1, "message", "message"]);
    assert.deepEqual(seen, [true, true, true]);
    assert.deepEqual(await recorded(world), [PATCHED, 'step "new"', 'recv ""', 'recv ""']);
  },

  ...rulesFor(befores, ([what, before, after]) => ({
    [`patched() is false and takes no position where the journal has ${what}`]: async (world) => {
      await begin(world, before);
      await world.pass(1_001);
      assert.deepEqual(await goOn(world, after), [false, "message"]);
      assert(!(await recorded(world)).includes(PATCHED));
    },
  })),

  "patched() is false where earlier code called a step that has no outcome yet, beside one that has": async (world) => {
    const before: Code = async (ctx) => {
      return await Promise.all([ctx.step("slow", () => new Promise(() => {})), ctx.step("fast", () => "old")]);
    };
    await dieAfter(world, before, 1);
    const after: Code = async (ctx) => {
      const isPatched = await ctx.patched("p");
      return [isPatched, await Promise.all([ctx.step("slow", () => "new"), ctx.step("fast", () => "new")])];
    };
    assert.deepEqual(await goOn(world, after), [false, ["new", "old"]]);
  },

  ...rulesFor(
    PAGE_SIZES,
    (pages) => ({
      [`operations called together with patched() have the right positions on replays by pages of ${pages}`]: async (
        world,
      ) => {
        const steps = (ctx: WorkflowContext) => [1, 2].map((n) => ctx.step(`${n}`, () => n));
        const before: Code = async (ctx) => {
          await ctx.step("first", () => 0);
          return [await Promise.all(steps(ctx)), await ctx.recv()];
        };
        const after: Code = async (ctx) => {
          await ctx.step("first", () => 0);
          const values = { n: 1 };
          const called = Promise.all([ctx.patched("p"), ctx.writeStream("log", values), ...steps(ctx)]);
          values.n = 2;
          const [isPatched] = await called;
          return [isPatched, await ctx.recv(), await ctx.recv()];
        };
        await begin(world, after);
        await goOn(world, after, { pages });
        assert.deepEqual(await goOn(world, after, { pages }), [true, "message", "message"]);
        const { parley } = deploy(world, before);
        assert.deepEqual((await parley.readStream("w", "log").collect()).values, [{ n: 1 }]);

        await parley.start("flow", undefined, { workflowId: "old", enqueue: true });
        await world.until(parley.sweep());
        const changed = deploy(world, async (ctx) => {
          await ctx.step("first", () => 0);
          const [isPatched, ...values] = await Promise.all([ctx.patched("p"), ...steps(ctx)]);
          return [isPatched, values, await ctx.recv(), await Promise.all([ctx.patched("p"), ctx.patched("q")])];
        }, { pages });
        await parley.send("old", "message");
        await world.until(changed.parley.sweep());
        assert.deepEqual((await parley.handle("old").status()).output, [false, [1, 2], "message", [true, true]]);
      },

      [`patched() is true where the journal of earlier code ends, on replays by pages of ${pages}`]: async (world) => {
        const steps = (ctx: WorkflowContext) => [1, 2, 3].map((n) => ctx.step(`${n}`, () => n));
        await dieAfter(world, async (ctx) => {
          await Promise.all(steps(ctx));
          await ctx.step("old", () => new Promise(() => {}));
        }, 3);
        assert.deepEqual(
          await goOn(world, async (ctx) => {
            const [first, ...others] = steps(ctx);
            await first;
            const value = { n: 1 };
            const called = Promise.all([ctx.patched("p"), ctx.writeStream("log", value), ctx.recv(), ...others]);
            value.n = 2;
            return await called;
          }, { pages, faults: slow }),
          [true, undefined, "message", 2, 3],
        );
        assert.deepEqual((await recorded(world)).slice(3), [PATCHED, 'writeStream "log"', 'recv ""']);
        const { parley } = deploy(world, () => Promise.resolve());
        assert.deepEqual((await parley.readStream("w", "log").collect()).values, [{ n: 1 }]);
      },

      [`patched() delays no branch that goes on beside it on replays by pages of ${pages}`]: async (world) => {
        const code = (isChanged: boolean): Code => async (ctx) => {
          const branch = async (name: string) => {
            await ctx.step(name, () => 1);
            const isPatched = isChanged && name === "a" && await ctx.patched("p");
            await ctx.step(`${name} again`, () => 1);
            return isPatched;
          };
          return [...await Promise.all(["a", "b", "c"].map(branch)), await ctx.recv()];
        };
        await begin(world, code(false));
        assert.deepEqual(await goOn(world, code(true), { pages, faults: slow }), [false, false, false, "message"]);
      },

      [`a loop in a helper changes over at its first new turn, on replays by pages of ${pages}`]: async (world) => {
        const code = (isChanged: boolean): Code => async (ctx) => {
          const turn = async () => {
            const isPatched = isChanged && await ctx.patched("p");
            await ctx.step(isPatched ? "new" : "old", () => {});
            await ctx.recv();
            return isPatched;
          };
          return [await turn(), await turn(), await turn(), await turn()];
        };
        await begin(world, code(false));
        await goOn(world, code(false));
        for (let turn = 0; turn < 2; turn++) assert.equal(await goOn(world, code(true), { pages }), undefined);
        assert.deepEqual(await goOn(world, code(true), { pages }), [false, false, true, true]);
        assert.deepEqual((await recorded(world)).filter((label) => label !== 'recv ""'), [
          'step "old"',
          'step "old"',
          PATCHED,
          'step "new"',
          PATCHED,
          'step "new"',
        ]);
      },
    }),
  ),

  ...rulesFor(["before", "after"] as const, (when) => ({
    [`a process may die ${when} each call of a run that asks, and the next run gets the same answer`]: async (
      world,
    ) => {
      const seen = new Map<string, Set<boolean>>();
      const code: Code = async (ctx) => {
        const isPatched = await ctx.patched("p");
        seen.set(ctx.workflowId, (seen.get(ctx.workflowId) ?? new Set()).add(isPatched));
        await ctx.step(isPatched ? "new" : "old", () => 1);
        return isPatched;
      };
      for (let call = 1, reached = true; reached; call++) {
        const workflowId = `w${call}`;
        const troubled = deploy(world, code, { lease: "5s", faults: [{ call, when, what: "dies" }] });
        const healthy = deploy(world, code);
        await healthy.parley.start("flow", undefined, { workflowId, enqueue: true });
        await world.until(troubled.parley.sweep().catch(() => {}));
        await world.until(troubled.parley.idle());
        reached = troubled.driver.calls >= call;
        await world.pass(5_001);
        await world.until(healthy.parley.sweep());
        assert.equal((await healthy.parley.handle(workflowId).status()).output, true);
        assert.deepEqual([...seen.get(workflowId)!], [true]);
      }
      assert(seen.size > 3);
    },
  })),

  "patched() that a run leaves to the next one is true there": async (world) => {
    const code: Code = async (ctx) => {
      const answers = [];
      for (let n = 0; n < 4; n++) answers.push(...await Promise.all([ctx.patched("p"), ctx.step("one", () => n)]));
      return [answers, await ctx.recv()];
    };
    await begin(world, code, { maxRequests: 2 });
    for (let runs = 0; runs < 6; runs++) await world.until(deploy(world, code, { maxRequests: 2 }).parley.sweep());
    assert.deepEqual(await goOn(world, code), [[true, 0, true, 1, true, 2, true, 3], "message"]);
  },

  "earlier code parks a workflow that has patched() in its journal": async (world) => {
    await begin(world, async (ctx) => [await ctx.patched("p"), await ctx.recv()]);
    const { parley, errors } = deploy(world, async (ctx) => await ctx.recv());
    await parley.resume("w");
    await parley.send("w", "message");
    await world.until(parley.sweep());
    assert.equal((await parley.handle("w").status()).problem?.fields?.expected, PATCHED);
    assert.equal(errors.length, 1);
  },

  "a bad name of patched() and a call in a step are refused, and take no position": async (world) => {
    await begin(world, async (ctx) => {
      for (const name of ["", "a\0b", "x".repeat(256), "\ud800", 1 as unknown as string]) {
        await assert.rejects(ctx.patched(name), { code: "invalid_value" });
      }
      await ctx.step("in a step", async () => await assert.rejects(ctx.patched("p"), { code: "invalid_context" }));
      return await ctx.recv();
    });
    assert.deepEqual(await recorded(world), ['step "in a step"']);
  },
};

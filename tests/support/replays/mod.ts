/**
 * Random programs under everything that may happen to a workflow. Every run must see outcomes in
 * the same order as the runs before it.
 *
 * Waits are opened early and awaited late. Journals come in pages of one to five entries. Schemas
 * refuse in one isolate and not in the next. Isolates die, lose answers, hand over, are cancelled
 * and resumed, and some have code that does not fit. Later isolates have patched code.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { workflow } from "../../../mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { type Isolate, World } from "../../../conformance/workflows/world.ts";
import { type Arrival, child, interpreter, Record, SINK } from "./interpreter.ts";
import { type IsolatePlan, type Op, type Program, programs, QUIET, TOPICS } from "./program.ts";

/** The number of programs in place of the usual one, for a long run. */
const PROGRAMS = "PARLEY_REPLAY_PROGRAMS";

/** The maximum number of isolates that a program of this size needs. */
const MAX_ISOLATES = 100;

/** Receives the messages of the program, in order. */
const sink = workflow(SINK, async (ctx) => {
  const sent: { topic: string; message: unknown }[] = [];
  for (;;) {
    const message = await ctx.recvAny(TOPICS, { timeout: 0 }).catch(() => undefined);
    if (!message) return sent;
    sent.push(message);
  }
});

/**
 * Registers the property for `runs` programs. `PARLEY_REPLAY_PROGRAMS` overrides the number,
 * `PARLEY_REPLAY_SEED` the seed.
 */
export function replayPrograms(test: RegisterTest, makeHarness: MakeHarness, options: { runs: number }): void {
  const numRuns = Number(Deno.env.get(PROGRAMS) ?? options.runs);
  const seed = Deno.env.get("PARLEY_REPLAY_SEED");
  test("outcomes reach random programs in one order, whatever happens to their runs", async () => {
    const property = fc.asyncProperty(programs, async (program) => await check(makeHarness, program));
    await fc.assert(property, { numRuns, ...(seed !== undefined && { seed: Number(seed) }) });
  });
}

async function check(makeHarness: MakeHarness, program: Program): Promise<void> {
  await using harness = await makeHarness();
  const story = new Story(new World(harness), program);
  await story.tell();
  story.checkOrder();
  await story.checkEffects();
}

/** One program from its start to its end. */
class Story {
  readonly #world: World;
  readonly #program: Program;
  readonly #record = new Record();
  /** The process that starts, sends, cancels and resumes. It runs nothing but the sink. */
  readonly #outside: Isolate;
  #messages = 0;

  constructor(world: World, program: Program) {
    this.#world = world;
    this.#program = program;
    this.#outside = world.isolate(1, [sink], { wake: "none" });
  }

  get #parley() {
    return this.#outside.parley;
  }

  async tell(): Promise<void> {
    await this.#parley.start(SINK, undefined, { workflowId: SINK, enqueue: true });
    await this.#parley.start("program", this.#program.lines, { workflowId: "program", enqueue: true });
    for (let n = 0; (await this.#status()).status !== "SUCCESS"; n++) {
      assert(n < MAX_ISOLATES, "the program does not end");
      await this.#carryOn(this.#program.isolates[n] ?? QUIET, { isPatched: n >= this.#program.deployedAt });
    }
  }

  async #carryOn(
    { faults, cancelAt, maxRequests, misfit, pages, strict, messages, pauseMs }: IsolatePlan,
    { isPatched }: { isPatched: boolean },
  ): Promise<void> {
    for (const topic of messages) await this.#parley.send("program", this.#messages++, { topic });
    this.#record.strict = strict;
    const cancel = {
      call: cancelAt ?? 0,
      when: "before" as const,
      what: () => this.#parley.cancel("program").catch(isEnded),
    };
    const doesNotFit = misfit && await this.#hasBegun();
    const isolate = this.#world.isolate(0, [interpreter(this.#record, { misfit: doesNotFit, isPatched }), child], {
      faults: [...faults, cancel],
      pages,
      wake: "none",
      lease: "5s",
      ...(maxRequests !== null && { maxRequests }),
    });
    await this.#world.until(isolate.parley.sweep().catch(() => {}));
    await this.#world.idle(isolate);
    const { status, problem } = await this.#status();
    assert(["PENDING", "ENQUEUED", "CANCELLED", "SUCCESS"].includes(status), `the workflow is ${status}`);
    if (problem !== undefined || status !== "PENDING") await this.#parley.resume("program").catch(isEnded);
    await this.#world.pass(pauseMs);
  }

  #status() {
    return this.#parley.handle("program").status();
  }

  /** Whether the journal has an entry that other code would not fit. */
  async #hasBegun(): Promise<boolean> {
    const { entries } = await this.#outside.driver.readJournal({ workflowId: "program", after: 0, limit: 1 });
    return entries.length > 0;
  }

  /**
   * Asserts that any two runs saw the same outcomes in the same order, up to the end of the shorter
   * one.
   */
  checkOrder(): void {
    let longest: Arrival[] = [];
    for (const log of this.#record.logs) {
      const length = Math.min(log.length, longest.length);
      assert.deepEqual(
        log.slice(0, length),
        longest.slice(0, length),
        "outcomes arrived in another order, or were others",
      );
      if (log.length > longest.length) longest = log;
    }
  }

  /** Asserts that every operation that the code saw succeed took effect once, and no other did. */
  async checkEffects(): Promise<void> {
    const { output } = await this.#status();
    const arrivals = (output as Arrival[]).toSorted((a, b) => a.op - b.op);
    assert.deepEqual(
      arrivals.map(({ op }) => op),
      arrivals.map((_, index) => index),
      "an operation has no outcome, or two",
    );
    this.#checkMessages(arrivals);
    const handle = this.#parley.handle("program");
    const numbers = (what: Op["do"], name: string) => succeeded(arrivals, what, name);
    await this.#world.until(this.#parley.sweep());
    const sent = (await this.#parley.handle(SINK).status()).output as { topic: string; message: number }[];
    for (const name of TOPICS) {
      assert.deepEqual((await handle.readStream(name).collect()).values, numbers("write", name), `the stream ${name}`);
      assert.deepEqual(
        sent.filter(({ topic }) => topic === name).map(({ message }) => message),
        numbers("send", name),
        `what was sent to ${name}`,
      );
      const set = numbers("setEvent", name);
      const value = await handle.getEvent(name, { timeout: 0 }).catch(() => undefined);
      assert.equal(value, set.at(-1), `the event ${name}`);
    }
  }

  /**
   * Asserts that no message was received twice, and that an earlier `recv` of a topic got the
   * earlier message.
   */
  #checkMessages(arrivals: readonly Arrival[]): void {
    const received = arrivals.flatMap(({ what, outcome }): { topic: string; message: number }[] => {
      if (what === "recvAny") return typeof outcome === "string" ? [] : [outcome as { topic: string; message: number }];
      return what.startsWith("recv ") && typeof outcome === "number"
        ? [{ topic: what.slice(5), message: outcome }]
        : [];
    });
    for (const name of TOPICS) {
      const messages = received.filter(({ topic }) => topic === name).map(({ message }) => message);
      assert.deepEqual(messages, [...new Set(messages)].toSorted((a, b) => a - b), `the messages of ${name}`);
    }
  }
}

/**
 * The values of the operations of one kind and name that succeeded, in the order of the calls. A
 * value is the number of its operation.
 */
function succeeded(arrivals: readonly Arrival[], what: Op["do"], name: string): number[] {
  return arrivals.filter((it) => it.what === `${what} ${name}` && (it.outcome === "done" || it.outcome === "sent")).map(
    ({ op }) => op,
  );
}

/** A cancel or a resume may come after the workflow has ended. */
function isEnded(error: { code?: string }): void {
  if (error.code !== "workflow_ended") throw error;
}

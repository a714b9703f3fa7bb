/**
 * A random program as a workflow that logs the order in which outcomes reach its code.
 *
 * @module
 */

import { nextTask } from "../../../core/time/clock.ts";
import {
  event,
  type StandardSchemaV1,
  stream,
  topic,
  type Workflow,
  workflow,
  type WorkflowContext,
} from "../../../mod.ts";
import { type Line, type Op, TOPICS } from "./program.ts";

/** The workflow that gets the messages of programs. */
export const SINK = "sink";

/** The outcome of an operation as the code sees it, with its number and its kind. */
export interface Arrival {
  readonly op: number;
  readonly what: string;
  readonly outcome: unknown;
}

/** The logs of a program's isolates, outside of the store. */
export class Record {
  /** One log for each run of code that fits, in the order in which outcomes arrived. */
  readonly logs: Arrival[][] = [];
  /** How often steps were tried, over all runs. */
  tries = 0;
  /** Whether the schemas of the current isolate are strict. */
  strict = false;
}

/** Errors that end a run. No journal has them. */
const OVER = new Set(["workflow_cancelled", "lease_lost", "invalid_context"]);

/**
 * The workflow. `misfit`: its first operation is not the same as before. `isPatched`: it asks where
 * the program says `patched`, and does more where the answer is yes.
 */
export function interpreter(
  record: Record,
  { misfit, isPatched }: { misfit: boolean; isPatched: boolean },
): Workflow<readonly Line[], Arrival[]> {
  return workflow("program", async (ctx, lines: readonly Line[]): Promise<Arrival[]> => {
    if (misfit) await ctx.step("misfit", () => {});
    const fiber = new Fiber(ctx, record, isPatched);
    // By this entry the test knows that some code does not fit.
    await ctx.now();
    for (const line of lines) await fiber.carryOut(line);
    await Promise.all(fiber.open);
    return fiber.log;
  });
}

/** The workflow that programs start. It ends after `seconds` seconds. */
export const child: Workflow<number, number> = workflow("child", async (ctx, seconds: number) => {
  await ctx.sleep(seconds * 1_000);
  return seconds;
});

type NumberedOp = Exclude<Op, { do: "patched" }>;

/** One run of the code. */
class Fiber {
  readonly log: Arrival[] = [];
  /** Operations that were called and not awaited yet. */
  readonly open: Promise<Arrival>[] = [];
  readonly #ctx: WorkflowContext;
  readonly #record: Record;
  readonly #isPatched: boolean;
  #ops = 0;
  #isOver = false;

  constructor(ctx: WorkflowContext, record: Record, isPatched: boolean) {
    this.#isPatched = isPatched;
    this.#ctx = ctx;
    this.#record = record;
    record.logs.push(this.log);
  }

  async carryOut(line: Line): Promise<void> {
    const ops = "ops" in line ? line.ops : [line.op];
    const patches: Promise<boolean>[] = [];
    // All are called together, in this order.
    const called = ops.flatMap((op) => op.do === "patched" ? (patches.push(this.#patched()), []) : this.#call(op));
    switch (line.do) {
      case "open":
        this.open.push(...called);
        break;
      case "race": {
        const contestants = [...called, ...this.open];
        this.open.push(...called);
        // Which one wins decides what the code does next.
        if (contestants.length > 0 && (await Promise.race(contestants)).op % 2 === 1) await this.#call({ do: "now" });
        break;
      }
      default:
        await Promise.all(called);
    }
    for (const isPatched of patches) if (await isPatched) await this.#call({ do: "now" });
  }

  /** The answer is not logged, because code without the call goes on like code that gets `false`. */
  async #patched(): Promise<boolean> {
    return this.#isPatched && await this.#ctx.patched("more");
  }

  /**
   * Calls an operation. It settles with the outcome, errors included, and logs it at that moment.
   */
  #call(op: NumberedOp): Promise<Arrival> {
    const number = this.#ops++;
    const arrived = (outcome: unknown): Arrival => {
      const arrival = { op: number, what: "name" in op ? `${op.do} ${op.name}` : op.do, outcome };
      if (!this.#isOver) this.log.push(arrival);
      return arrival;
    };
    return this.#perform(op, number).then(arrived, (error) => {
      this.#isOver ||= OVER.has(error.code);
      return arrived(error.code ?? error.message);
    });
  }

  #perform(op: NumberedOp, number: number): Promise<unknown> {
    const ctx = this.#ctx;
    const timeout = "timeout" in op && op.timeout !== null ? { timeout: op.timeout } : {};
    switch (op.do) {
      case "step":
        return ctx.step("work", ({ attempt }) => {
          const tried = ++this.#record.tries;
          if (attempt < op.tries) throw new Error(`try ${tried}`);
          return tried;
        }, { retries: 2, delay: "2s" });
      case "fail":
        return ctx.step("fail", () => Promise.reject(new Error(`try ${++this.#record.tries}`)));
      case "now":
        return ctx.now();
      case "uuid":
        return ctx.uuid();
      case "sleep":
        return ctx.sleep(op.ms);
      case "recv":
        return ctx.recv(op.name, timeout);
      case "recvAny":
        return ctx.recvAny(TOPICS, timeout);
      case "withdraw":
        return this.#withdraw(op);
      case "getEvent":
        return ctx.getEvent(ctx.workflowId, op.name, timeout);
      case "children":
        return this.#children(op);
      case "setEvent":
        return ctx.setEvent(event(op.name, this.#schema(op)), number).then(() => "done");
      case "write":
        return ctx.writeStream(stream(op.name, this.#schema(op)), number).then(() => "done");
      case "send":
        return ctx.send(SINK, number, { topic: topic(op.name, this.#schema(op)) }).then(() => "sent");
    }
  }

  #withdraw({ name, ms }: { name: string; ms: number }): Promise<unknown> {
    const late = new AbortController();
    this.#ctx.sleep(ms).then(() => late.abort(new Error("withdrawn")), () => {});
    return this.#ctx.recv(name, { signal: late.signal });
  }

  async #children({ count, together }: { count: number; together: boolean }): Promise<number[]> {
    const children = await Promise.all(Array.from({ length: count }, (_, seconds) => this.#ctx.start(child, seconds)));
    return together ? await this.#ctx.results(children) : await Promise.all(children.map((it) => it.result()));
  }

  #schema({ odd, slow }: { odd: boolean; slow: boolean }): StandardSchemaV1<unknown, number> {
    const check = (value: unknown) =>
      odd && this.#record.strict ? { issues: [{ message: "It must not be odd" }] } : { value: value as number };
    const validate = slow ? (value: unknown) => nextTask().then(() => check(value)) : check;
    return { "~standard": { version: 1, vendor: "parley", validate } };
  }
}

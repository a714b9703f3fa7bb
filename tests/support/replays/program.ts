/**
 * Random programs: the operations of a workflow, and the events around it.
 *
 * @module
 */

import fc from "fast-check";
import type { Fault } from "../../../conformance/mod.ts";

/** Topics and keys. */
export const TOPICS = ["a", "b"];

/**
 * One operation. `odd: true`: an isolate with a strict schema refuses its value. `slow: true`: the
 * schema is asynchronous. `withdraw`: a `recv` that is withdrawn after a sleep. `patched`: only the code from {@linkcode Program.deployedAt} on asks.
 */
export type Op =
  | { do: "step"; tries: number }
  | { do: "patched" }
  | { do: "fail" | "now" | "uuid" }
  | { do: "sleep"; ms: number }
  | { do: "recv"; name: string; timeout: number | null }
  | { do: "recvAny"; timeout: number | null }
  | { do: "withdraw"; name: string; ms: number }
  | { do: "getEvent"; name: string; timeout: number }
  | { do: "children"; count: number; together: boolean }
  | { do: "setEvent" | "write" | "send"; name: string; odd: boolean; slow: boolean };

/**
 * One line. `open`: the operation is called now and awaited at the end of the program. `race` and
 * `all` are over their own operations and all open ones.
 */
export type Line = { do: "open"; op: Op } | { do: "await"; op: Op } | { do: "race" | "all"; ops: Op[] };

/** One isolate that carries the workflow on for a while. */
export interface IsolatePlan {
  readonly faults: readonly Fault[];
  /** How many requests it may make before it hands over. `null`: any number. */
  readonly maxRequests: number | null;
  /** The maximum number of entries of a page of the journal. */
  readonly pages: number;
  /** Whether schemas refuse odd values. */
  readonly strict: boolean;
  /** Whether the code does not fit the journal, as after a bad deploy. */
  readonly misfit: boolean;
  /**
   * The call at which the other process cancels the workflow. The workflow is resumed after that.
   */
  readonly cancelAt: number | null;
  /** Topics of the messages that are sent before it begins. */
  readonly messages: readonly string[];
  /** How much time passes after it. */
  readonly pauseMs: number;
}

/**
 * A workflow, and the isolates that run it one after the other. Isolates without faults follow
 * them.
 */
export interface Program {
  readonly lines: readonly Line[];
  /** The first isolate whose code asks whether it is patched. */
  readonly deployedAt: number;
  readonly isolates: readonly IsolatePlan[];
}

const name = fc.constantFrom(...TOPICS);
const timeout = fc.integer({ min: 0, max: 8_000 });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("step" as const), tries: fc.integer({ min: 1, max: 3 }) }) },
  fc.record({ do: fc.constantFrom("fail" as const, "now" as const, "uuid" as const) }),
  fc.record({ do: fc.constant("patched" as const) }),
  fc.record({ do: fc.constant("sleep" as const), ms: timeout }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("recv" as const), name, timeout: fc.option(timeout) }) },
  fc.record({ do: fc.constant("recvAny" as const), timeout: fc.option(timeout) }),
  fc.record({ do: fc.constant("withdraw" as const), name, ms: timeout }),
  fc.record({ do: fc.constant("getEvent" as const), name, timeout }),
  fc.record({ do: fc.constant("children" as const), count: fc.integer({ min: 1, max: 3 }), together: fc.boolean() }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("setEvent" as const, "write" as const, "send" as const),
      name,
      odd: fc.boolean(),
      slow: fc.boolean(),
    }),
  },
);
const ops = fc.array(op, { minLength: 1, maxLength: 5 });
const line: fc.Arbitrary<Line> = fc.oneof(
  fc.record({ do: fc.constantFrom("open" as const, "await" as const), op }),
  fc.record({ do: fc.constantFrom("race" as const, "all" as const), ops }),
);

const fault: fc.Arbitrary<Fault> = fc.record({
  call: fc.integer({ min: 1, max: 12 }),
  when: fc.constantFrom("before" as const, "after" as const),
  what: fc.constantFrom("dies" as const, "fails" as const),
});
const isolate: fc.Arbitrary<IsolatePlan> = fc.record({
  faults: fc.array(fault, { maxLength: 2 }),
  maxRequests: fc.option(fc.integer({ min: 2, max: 10 }), { freq: 2 }),
  pages: fc.integer({ min: 1, max: 5 }),
  strict: fc.boolean(),
  misfit: fc.boolean(),
  cancelAt: fc.option(fc.integer({ min: 2, max: 8 }), { freq: 3 }),
  messages: fc.array(name, { maxLength: 2 }),
  pauseMs: fc.integer({ min: 0, max: 6_000 }),
});

/** Any program. */
export const programs: fc.Arbitrary<Program> = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 8 }),
  deployedAt: fc.nat({ max: 5 }),
  isolates: fc.array(isolate, { maxLength: 8 }),
});

/**
 * An isolate in which nothing goes wrong, with a message for each topic. With such isolates every
 * program ends.
 */
export const QUIET: IsolatePlan = {
  faults: [],
  maxRequests: null,
  pages: 3,
  strict: false,
  misfit: false,
  cancelAt: null,
  messages: TOPICS,
  pauseMs: 6_000,
};

/**
 * Random stories of calls to a driver.
 *
 * @module
 */

import fc from "fast-check";
import type { NewMessage, Operation, WorkflowStatus } from "../../../core/driver/driver.ts";
import { STATUSES } from "../../../core/driver/statuses.ts";
import {
  closeStream,
  observeEvent,
  observeResult,
  pause,
  receive,
  record,
  send,
  setEvent,
  sleep,
  start,
  writeStream,
} from "../../../conformance/operations.ts";
import { newWorkflow } from "../../../conformance/requests.ts";

// Few of each, so that calls meet. Some begin alike, and some contain the separators of keys.
export const IDS = ["a", "a\u0001/%2F", "c:\u{1F600}"];
export const NAMES = ["order", "order\u0001"];
export const KEYS = ["k", "k/0"];
const TOPICS = ["", "t/0"];

/**
 * The operation of a workflow at one position, the same in every run, as in deterministic code.
 * Only a pause knows the number of its call.
 */
type Maker = (position: number, id: string, nth: number) => Operation;

/** The transition of a commit that does not suspend. */
export type Goal = "none" | "yield" | "end" | "park";

/** The call. An index of 0 means the latest one. */
export type Command =
  | { do: "create"; id: string; name: string; leaseMs: number | null }
  | { do: "claim"; ids: string[] | null; except: string[]; names: string[]; limit: number; leaseMs: number }
  | {
    do: "commit";
    run: number;
    positions: number[];
    steps: number[];
    transition: Goal;
    status: number;
    delayMs: number;
    skips: boolean;
  }
  | { do: "suspend"; run: number; waits: number[] }
  | { do: "many"; run: number; from: number; count: number }
  | { do: "repeat"; call: number }
  | { do: "send"; messages: { id: string; topic: string; key: string | null }[] }
  | { do: "control"; id: string; action: "cancel" | "resume" }
  | { do: "purge"; olderThanMs: number; limit: number }
  | {
    do: "list";
    statuses: WorkflowStatus[] | null;
    name: string | null;
    problem: boolean;
    values: boolean;
    limit: number;
  }
  | { do: "read"; id: string; key: string; from: number; limit: number }
  | { do: "advance"; ms: number };

/** A story. */
export interface Story {
  /**
   * The code of all workflows: {@linkcode SOME} operations that have an outcome at once, then as
   * many that may have to wait.
   */
  readonly code: readonly Maker[];
  /** The operations inside steps. */
  readonly steps: readonly ((id: string, nth: number) => Operation)[];
  /** The calls, each with the instance of the driver that gets it. */
  readonly calls: readonly [instance: 0 | 1, command: Command][];
}

/** The number of operations, and of steps, of each kind. */
export const SOME = 6;

const id = fc.constantFrom(...IDS);
const name = fc.constantFrom(...NAMES);
const topic = fc.constantFrom(...TOPICS);
const key = fc.constantFrom(...KEYS);
const leaseMs = fc.constantFrom(50, 5_000, 5_000);
const timeoutMs = fc.constantFrom(null, null, null, 0, 40, 3_000);
const nth = fc.nat({ max: SOME - 1 });
const latest = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 8);
const names = fc.constantFrom(NAMES, NAMES, [...NAMES].reverse(), ["order"], ["absent", "order\u0001"]);

/** A message that has the same ID each time. */
export function fixed(destinationId: string, topic: string, messageId: string): NewMessage {
  return { destinationId, topic, messageId, dedupeKey: messageId, value: `message ${messageId}` };
}

const effect: fc.Arbitrary<Maker> = fc.oneof(
  fc.constant<Maker>((position) => record(position, `value ${position}`)),
  fc.tuple(id, topic).map(([to, topic]): Maker => (position, id) =>
    send(position, fixed(to, topic, `${id} ${position}`))
  ),
  // The workflow sends to itself.
  topic.map((topic): Maker => (position, id) => send(position, fixed(id, topic, `${id} ${position}`))),
  key.map((key): Maker => (position) => setEvent(position, key, `event ${position}`)),
  key.map((key): Maker => (position) => writeStream(position, key, `value ${position}`)),
  key.map((key): Maker => (position) => closeStream(position, key)),
  fc.tuple(id, name).map(([id, name]): Maker => (position) => start(position, newWorkflow(id, { name }))),
);

const wait: fc.Arbitrary<Maker> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(fc.uniqueArray(topic, { minLength: 1 }), timeoutMs)
      .map(([topics, ms]): Maker => (position) => receive(position, topics, ms)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(id, key, timeoutMs, fc.boolean()).map((wait): Maker => (position) =>
      observeEvent(position, ...wait)
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(id, timeoutMs, fc.boolean(), fc.boolean()).map((wait): Maker => (position) =>
      observeResult(position, ...wait)
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, 40, 3_000).map((ms): Maker => (position) => sleep(position, ms)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, 40, 3_000).map((ms): Maker => (position, _id, nth) =>
      pause(position, 1 + nth % 3, ms)
    ),
  },
);

/** Operations of steps. They leave no entry. */
const step: fc.Arbitrary<Story["steps"][number]> = fc.oneof(
  fc.tuple(id, topic).map(([to, topic]) => (id: string, nth: number) =>
    send(null, fixed(to, topic, `step ${id} ${nth}`))
  ),
  key.map((key) => (_: string, nth: number) => setEvent(null, key, `event of step ${nth}`)),
  key.map((key) => (_: string, nth: number) => writeStream(null, key, `value of step ${nth}`)),
);

type With<Do extends Command["do"]> = Omit<Extract<Command, { do: Do }>, "do">;

/** A command, and its share of 50 calls. */
function of<Do extends Command["do"]>(
  weight: number,
  does: Do,
  rest: { [Key in keyof With<Do>]: fc.Arbitrary<With<Do>[Key]> },
) {
  const parts: Record<string, fc.Arbitrary<unknown>> = rest;
  return { weight, arbitrary: fc.record({ do: fc.constant(does), ...parts }) as unknown as fc.Arbitrary<Command> };
}

const messages = fc.array(fc.record({ id, topic, key: fc.option(key, { freq: 2 }) }), { minLength: 1, maxLength: 3 });

const command = fc.oneof(
  of(4, "create", { id, name, leaseMs: fc.option(leaseMs) }),
  of(8, "claim", {
    ids: fc.option(fc.uniqueArray(id, { minLength: 1 }), { freq: 2 }),
    except: fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: fc.uniqueArray(id) }),
    names,
    limit: fc.constantFrom(1, 2, 100),
    leaseMs,
  }),
  of(8, "commit", {
    run: latest,
    positions: fc.uniqueArray(fc.nat({ max: 2 * SOME - 1 }), { maxLength: 8 }),
    steps: fc.array(nth, { maxLength: 1 }),
    transition: fc.constantFrom<Goal>("none", "none", "none", "yield", "yield", "end", "end", "park"),
    status: nth,
    delayMs: fc.constantFrom(0, 40, 3_000),
    skips: fc.nat({ max: 19 }).map((one) => one === 0),
  }),
  of(8, "suspend", { run: latest, waits: fc.uniqueArray(nth, { minLength: 1, maxLength: 3 }) }),
  of(1, "many", { run: latest, from: fc.constantFrom(0, 50, 4_080), count: fc.constantFrom(10, 70, 130) }),
  of(3, "repeat", { call: latest }),
  of(6, "send", { messages }),
  of(3, "control", { id, action: fc.constantFrom("cancel", "resume") }),
  of(2, "purge", { olderThanMs: fc.constantFrom(0, 0, 30), limit: fc.constantFrom(1, 10) }),
  of(1, "list", {
    statuses: fc.option(fc.uniqueArray(fc.constantFrom(...STATUSES))),
    name: fc.option(name),
    problem: fc.nat({ max: 2 }).map((one) => one === 0),
    values: fc.boolean(),
    limit: fc.constantFrom(1, 2, 10),
  }),
  of(2, "read", { id, key, from: fc.constantFrom(0, 1, 63, 64, 1_000), limit: fc.nat({ max: 80 }) }),
  of(4, "advance", { ms: fc.constantFrom(1, 39, 60, 3_100, 5_100) }),
);

/** A story of up to 60 calls. */
export const story: fc.Arbitrary<Story> = fc.record({
  code: fc.tuple(
    fc.array(effect, { minLength: SOME, maxLength: SOME }),
    fc.array(wait, { minLength: SOME, maxLength: SOME }),
  )
    .map((parts) => parts.flat()),
  steps: fc.array(step, { minLength: SOME, maxLength: SOME }),
  calls: fc.array(fc.tuple(fc.constantFrom(0 as const, 1 as const), command), {
    minLength: 5,
    maxLength: 60,
    size: "max",
  }),
});

/**
 * Short functions: each answers as the function for all cases does, and leaves the same rows.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import type { CommitRequest, Operation, Transition } from "../../../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  observeResult,
  pause,
  receive,
  record,
  send,
  setEvent,
  start,
  SUSPEND,
  writeStream,
} from "../../../../conformance/operations.ts";
import {
  claimRequest,
  commitRequest,
  createRequest,
  newMessage,
  newWorkflow,
} from "../../../../conformance/requests.ts";
import { canonical } from "../../../support/differential/canonical.ts";
import { pgliteTest } from "../support/pglite.ts";
import { openStore, type Store } from "../support/short_store.ts";

const RUNS = 100;
const IDS = ["a", "b\u0001'\"", "c"];
const TOPICS = ["", "t"];
const KEYS = ["k", "l"];
/** The ID of a message that gets one of its own. */
const FRESH = "fresh";

/** What a story does next. Numbers choose among what is there. */
type Move =
  | { do: "create"; id: string; lease: number | null }
  | { do: "claim"; id: string }
  | { do: "commit"; id: string; operations: readonly Operation[]; transition: Transition | null; position: number }
  | { do: "send"; id: string; topic: string; key: string | null }
  | { do: "control"; id: string; action: "cancel" | "resume" }
  | { do: "repeat"; back: number }
  | { do: "advance"; ms: number };

const id = fc.constantFrom(...IDS);
const topic = fc.constantFrom(...TOPICS);
const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom("1", '"\\u0000"', '{"a": "b\'"}', "");
const timeoutMs = fc.constantFrom(null, 0, 50);
const ageMs = fc.constantFrom(undefined, 0, 7, 3_000_000_000);

/** One operation at a position that the story gives, or many writes. */
const operations: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  { weight: 3, arbitrary: value.map((value) => [record(0, value)]) },
  { weight: 1, arbitrary: value.map((value) => [record(0, { tag: "error", value })]) },
  { weight: 1, arbitrary: fc.constant([record(0, { tag: "timeout" })]) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 3).map((attempts) => [{ ...record(0, "1"), attempts }]) },
  { weight: 2, arbitrary: fc.tuple(key, value).map(([key, value]) => [setEvent(0, key, value)]) },
  { weight: 1, arbitrary: fc.tuple(key, value).map(([key, value]) => [setEvent(null, key, value)]) },
  {
    weight: 3,
    arbitrary: fc.tuple(key, fc.array(value, { minLength: 1, maxLength: 4 }), fc.boolean()).map(
      ([key, values, inStep]) => values.map((value, index) => writeStream(inStep ? null : index, key, value)),
    ),
  },
  { weight: 1, arbitrary: key.map((key) => [closeStream(0, key)]) },
  {
    weight: 3,
    arbitrary: fc.tuple(id, topic, value).map(([to, topic, value]) => [
      send(0, newMessage(to, { topic, value, messageId: FRESH })),
    ]),
  },
  { weight: 1, arbitrary: fc.tuple(id, topic).map(([to, topic]) => [send(0, fixed(to, topic, "key"))]) },
  { weight: 3, arbitrary: fc.tuple(topic, timeoutMs).map(([topic, ms]) => [receive(0, [topic], ms)]) },
  {
    weight: 3,
    arbitrary: fc.tuple(id, key, timeoutMs, fc.boolean()).map(([id, key, ms, started]) => [
      observeEvent(0, id, key, ms, started),
    ]),
  },
  { weight: 1, arbitrary: fc.constant([pause(0, 1, 10)]) },
  { weight: 1, arbitrary: id.map((id) => [start(0, newWorkflow(id))]) },
  { weight: 3, arbitrary: fc.constant([]) },
);

/** The same operations, begun some time ago. */
const aged = fc.tuple(operations, fc.array(ageMs, { minLength: 4, maxLength: 4 })).map(([made, ages]) =>
  made.map((operation, index) => ages[index] === undefined ? operation : { ...operation, ageMs: ages[index] })
);

const waits: fc.Arbitrary<Operation[]> = fc.oneof(
  topic.map((topic) => [receive(0, [topic])]),
  fc.tuple(id, key).map(([id, key]) => [observeEvent(0, id, key)]),
  id.map((id) => [observeResult(0, id)]),
);

/** An end by the error at the first position. */
const FAILED: Transition = { to: "end", status: "ERROR", output: null, error: "failed", failedPosition: 0 };

const position = fc.constantFrom(0, 0, 0, 0, 1, 3);
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      id,
      lease: fc.constantFrom(null, 100, 99.5, 60_000, 60_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("claim" as const), id }) },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      id,
      operations: aged,
      transition: fc.constantFrom(null, null, null, null, null, end(), end("ERROR", "failed"), FAILED),
      position,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      id,
      operations: waits,
      transition: fc.constant(SUSPEND),
      position,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("send" as const), id, topic, key: fc.option(key) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("control" as const), id, action: fc.constantFrom("cancel", "resume") }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("repeat" as const), back: fc.constantFrom(0, 0, 1, 3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 60, 45_000) }) },
);

/** A message with a key that others have too. */
function fixed(to: string, topic: string, messageId: string) {
  return newMessage(to, { topic, messageId, value: "1" });
}

const commit = (operations: Operation[], more: Partial<Extract<Move, { do: "commit" }>> = {}): Move => ({
  do: "commit",
  id: "a",
  operations,
  transition: null,
  position: 0,
  ...more,
});

/** Each short function, and then the same call as a repeat. */
const EVERY: readonly Move[] = [
  { do: "create", id: "a", lease: 60_000 },
  { do: "send", id: "a", topic: "", key: null },
  ...[
    record(0, "1"),
    setEvent(0, "k", "1"),
    writeStream(0, "k", "1"),
    receive(0, [""]),
    observeEvent(0, "a", "k"),
    send(0, fixed("a", "t", FRESH)),
  ]
    .flatMap((operation): Move[] => [commit([operation]), { do: "repeat", back: 0 }]),
  commit([writeStream(0, "k", "1"), writeStream(1, "k", "2")]),
  { do: "repeat", back: 0 },
  { do: "send", id: "none", topic: "", key: null },
  { do: "control", id: "a", action: "cancel" },
  { do: "create", id: "a", lease: 60_000 },
  { do: "create", id: "c", lease: 60_000 },
  { do: "claim", id: "c" },
  commit([], { id: "c", transition: end() }),
  { do: "repeat", back: 0 },
];

interface Run {
  readonly workflowId: string;
  readonly epoch: number;
  readonly owner: string;
  number: number;
  /** The next free position. */
  position: number;
}

/** Makes the moves on both stores. */
async function compare(stores: readonly [Store, Store], moves: readonly Move[]): Promise<void> {
  const runs = new Map<string, Run>();
  const asked: ((driver: Store["driver"]) => Promise<unknown>)[] = [];
  let now = 0;
  for (const [index, it] of moves.entries()) {
    now += it.do === "advance" ? it.ms : 1;
    for (const store of stores) await store.at(now);
    const ask = it.do === "repeat" ? asked.at(-1 - it.back) : askFor(it, index, runs);
    if (!ask) continue;
    if (it.do !== "repeat") asked.push(ask);
    const [short, long] = [await ask(stores[0].driver), await ask(stores[1].driver)];
    assert.deepEqual(canonical(short, false), canonical(long, false), `answer ${index}`);
    assert.deepEqual(await stores[0].rows(), await stores[1].rows(), `rows after ${index}`);
    notice(it, short, index, runs);
  }
}

function askFor(
  it: Move,
  index: number,
  runs: Map<string, Run>,
): ((driver: Store["driver"]) => Promise<unknown>) | null {
  const owner = `owner ${index}`;
  switch (it.do) {
    case "create":
      return (driver) => driver.create(createRequest(it.id, { owner, leaseMs: it.lease }));
    case "claim":
      return (driver) => driver.claim(claimRequest({ workflowIds: [it.id], owner }));
    case "send": {
      const message = it.key === null ? fixed(it.id, it.topic, `message ${index}`) : fixed(it.id, it.topic, it.key);
      const sent = { ...message, messageId: `message ${index}` };
      return (driver) => driver.send([sent]);
    }
    case "control":
      return (driver) => driver.control({ workflowId: it.id, action: it.action });
    case "commit": {
      const run = runs.get(it.id);
      if (!run) return null;
      const from = Math.max(0, run.position - it.position);
      const placed = it.operations.map((operation) => {
        const made = operation.type === "send" && operation.message.messageId === FRESH
          ? send(operation.position, fixed(operation.message.destinationId, operation.message.topic, `own ${index}`))
          : operation;
        return made.position === null ? made : { ...made, position: from + made.position };
      });
      run.number += 1;
      run.position = Math.max(run.position, from + placed.length);
      const request: CommitRequest = commitRequest(run, placed, it.transition);
      return (driver) => driver.commit(request);
    }
    default:
      return null;
  }
}

/** Notes the lease that a call gave. */
function notice(it: Move, answer: unknown, index: number, runs: Map<string, Run>): void {
  const begun = (workflowId: string, epoch: number) => {
    const position = runs.get(workflowId)?.position ?? 0;
    runs.set(workflowId, { workflowId, epoch, owner: `owner ${index}`, number: 0, position });
  };
  if (it.do === "create" && it.lease !== null && (answer as { created: boolean }).created) begun(it.id, 1);
  if (it.do === "claim") {
    const { claimed } = answer as { claimed: { workflow: { workflowId: string }; epoch: number }[] };
    for (const { workflow, epoch } of claimed) begun(workflow.workflowId, epoch);
  }
}

pgliteTest("a short function answers as the one for all cases, and leaves the same rows", async () => {
  const database = await PGlite.create();
  const stores = [await openStore(database, "short", true), await openStore(database, "long", false)] as const;
  await compare(stores, EVERY);
  const all = ["claim", "commit", "control", "create", "send"];
  const short = [
    "create_one",
    "end",
    "observe_event",
    "receive",
    "record_one",
    "send_from_run",
    "send_one",
    "set_event",
    "write_one",
    "write_stream",
  ];
  const called = stores.map((store) => [...store.called].toSorted());
  const ofShort = short.flatMap((name) => [`${name} in full`, `${name} in short`]);
  assert.deepEqual(called, [["claim", "control", ...ofShort].toSorted(), all]);
  const story = fc.array(move, { minLength: 5, maxLength: 40, size: "max" });
  await fc.assert(
    fc.asyncProperty(story, async (moves) => {
      for (const store of stores) await store.empty();
      await compare(stores, moves);
    }),
    { numRuns: RUNS },
  );
  await database.close();
});

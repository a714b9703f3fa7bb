/**
 * Random programs of operations against a small model, with processes that die at random calls.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { workflow, type WorkflowContext } from "../../mod.ts";
import type { Fault, MakeHarness, RegisterTest } from "../../conformance/mod.ts";
import { World } from "../../conformance/workflows/world.ts";

/** One line of a program. `all`: its operations are issued together. */
type Op =
  | { do: "step" | "fail" | "sleep"; value: number }
  | { do: "setEvent" | "write" | "send"; name: string; value: number }
  | { do: "getEvent" | "close" | "recv" | "await" | "patched"; name: string }
  | { do: "recvAny"; names: readonly string[] };
type Line = Op | { do: "all"; ops: Op[] };

interface Program {
  lines: Line[];
  /** The messages that are sent before the program begins, in order. */
  inbox: { name: string; value: number; key: string | null }[];
  faults: Fault[];
}

/** The result of a program. */
interface Outcome {
  output: unknown[];
  sent: { topic: string; message: unknown }[];
  events: Record<string, unknown>;
  streams: Record<string, { values: unknown[] }>;
}

const NAMES = ["a", "b"];
/** The topic of messages that are sent only while the program waits for them. */
const LATE = "late";

const name = fc.constantFrom(...NAMES);
const value = fc.integer({ min: 0, max: 9 });
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ do: fc.constantFrom("step" as const, "fail" as const), value }),
  fc.record({ do: fc.constant("sleep" as const), value: fc.integer({ min: 0, max: 3_000 }) }),
  fc.record({ do: fc.constantFrom("setEvent" as const, "write" as const, "send" as const), name, value }),
  fc.record({ do: fc.constantFrom("getEvent" as const, "recv" as const, "patched" as const), name }),
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const), name }) },
  fc.record({ do: fc.constant("await" as const), name: fc.constant(LATE) }),
  fc.record({ do: fc.constant("recvAny" as const), names: fc.constantFrom(["a", "b"], ["b", "a"], ["b"]) }),
);
const program: fc.Arbitrary<Program> = fc.record({
  lines: fc.array(
    fc.oneof(
      { weight: 3, arbitrary: op },
      fc.record({ do: fc.constant("all" as const), ops: fc.array(op, { maxLength: 6 }) }),
    ),
    {
      maxLength: 12,
    },
  ),
  inbox: fc.array(fc.record({ name, value, key: fc.option(fc.constantFrom("k", "l")) }), { maxLength: 8 }),
  faults: fc.array(
    fc.record({
      call: fc.integer({ min: 1, max: 40 }),
      when: fc.constantFrom("before" as const, "after" as const),
      what: fc.constantFrom("dies" as const, "fails" as const),
    }),
    {
      maxLength: 4,
    },
  ),
});

/** The program as a workflow. */
const interpreter = workflow("interpreter", async (ctx, lines: Line[]) => {
  const output: unknown[] = [];
  for (const line of lines) {
    const ops = line.do === "all" ? line.ops : [line];
    output.push(...await Promise.all(ops.map((op) => carryOut(ctx, op).catch((error) => error.code ?? error.message))));
  }
  return output;
});

/** Receives the messages that the program sent. */
const sink = workflow("sink", async (ctx) => {
  const sent: unknown[] = [];
  for (;;) {
    const message = await ctx.recvAny(NAMES, { timeout: 0 }).catch(() => undefined);
    if (!message) return sent;
    sent.push(message);
  }
});

async function carryOut(ctx: WorkflowContext, op: Op): Promise<unknown> {
  switch (op.do) {
    case "step":
      return await ctx.step(`${op.value}`, () => op.value);
    case "fail":
      return await ctx.step(`${op.value}`, () => Promise.reject(new Error(`failed ${op.value}`)));
    case "sleep":
      return await ctx.sleep(op.value);
    case "setEvent":
      return await ctx.setEvent(op.name, op.value);
    case "write":
      return await ctx.writeStream(op.name, op.value);
    case "send":
      return (await ctx.send("sink", op.value, { topic: op.name })).duplicate;
    case "getEvent":
      return await ctx.getEvent(ctx.workflowId, op.name, { timeout: 0 });
    case "close":
      return await ctx.closeStream(op.name);
    case "patched":
      return await ctx.patched(op.name);
    case "recv":
      return await ctx.recv(op.name, { timeout: 0 });
    case "await":
      return await ctx.recv(op.name);
    case "recvAny":
      return await ctx.recvAny(op.names, { timeout: 0 });
  }
}

/** The expected result of a program: each operation once, in the order of the lines. */
function model({ lines, inbox }: Program): Outcome {
  const events: Record<string, unknown> = {};
  const streams: Record<string, { values: unknown[] }> = {};
  const closed = new Set<string>();
  const sent: Outcome["sent"] = [];
  const keys = new Map<string, string>();
  const queue: { topic: string; message: number }[] = [];
  for (const { name, value, key } of inbox) {
    if (key !== null && keys.has(key)) continue;
    if (key !== null) keys.set(key, name);
    queue.push({ topic: name, message: value });
  }
  let late = 0;
  const take = (topics: readonly string[]) => {
    const index = queue.findIndex(({ topic }) => topics.includes(topic));
    return index < 0 ? undefined : queue.splice(index, 1)[0];
  };
  const result = (op: Op): unknown => {
    switch (op.do) {
      case "step":
        return op.value;
      case "fail":
        return `failed ${op.value}`;
      case "sleep":
        return undefined;
      case "setEvent":
        return void (events[op.name] = op.value);
      case "write":
        if (closed.has(op.name)) return "stream_closed";
        return void (streams[op.name] ??= { values: [] }).values.push(op.value);
      case "send":
        sent.push({ topic: op.name, message: op.value });
        return false;
      case "getEvent":
        return op.name in events ? events[op.name] : "timeout";
      case "close":
        if (closed.has(op.name)) return "stream_closed";
        return void closed.add(op.name);
      case "patched":
        return true;
      case "recv":
        return take([op.name])?.message ?? "timeout";
      case "await":
        return late++;
      case "recvAny":
        return take(op.names) ?? "timeout";
    }
  };
  const output = lines.flatMap((line) => line.do === "all" ? line.ops : [line]).map(result);
  return { output, sent, events, streams };
}

async function run(makeHarness: MakeHarness, program: Program): Promise<Outcome> {
  await using harness = await makeHarness();
  const world = new World(harness);
  const { parley } = world.isolate(1, []);
  await parley.start("sink", undefined, { workflowId: "sink", enqueue: true });
  const handle = await parley.start("interpreter", program.lines, { workflowId: "program", enqueue: true });
  for (const { name, value, key } of program.inbox) {
    // A key that was used with another topic is refused, so the model leaves the message out too.
    await handle.send(value, { topic: name, ...(key !== null && { idempotencyKey: key }) }).catch((error) =>
      assert.equal(error.code, "idempotency_conflict")
    );
  }
  const lateMessages =
    program.lines.flatMap((line) => line.do === "all" ? line.ops : [line]).filter((op) => op.do === "await").length;
  let faults = program.faults;
  let late = 0;
  for (let isolates = 0; (await handle.status()).status !== "SUCCESS"; isolates++) {
    assert(isolates < 200, "the program does not end");
    const isolate = world.isolate(0, [interpreter], { lease: "5s", faults });
    faults = faults.slice(1);
    await world.until(isolate.parley.sweep().catch(() => {}));
    await world.until(isolate.parley.idle());
    if (late < lateMessages) await handle.send(late++, { topic: LATE });
    await world.pass(5_001);
  }
  const output = (await handle.status()).output as unknown[];
  await world.until(world.isolate(0, [sink]).parley.sweep());
  const outcome: Outcome = {
    output,
    sent: (await parley.handle("sink").status()).output as Outcome["sent"],
    events: {},
    streams: {},
  };
  for (const name of NAMES) {
    const { values } = await handle.readStream(name).collect();
    if (values.length > 0) outcome.streams[name] = { values };
    await handle.getEvent(name, { timeout: 0 }).then((value) => outcome.events[name] = value, () => {});
  }
  return outcome;
}

/**
 * Registers the property: whatever the program and wherever processes die, its result is that of
 * the model.
 */
export function randomPrograms(test: RegisterTest, makeHarness: MakeHarness, options: { runs: number }): void {
  test("random programs come to what the model says, wherever processes die", async () => {
    const property = fc.asyncProperty(program, async (it) => assert.deepEqual(await run(makeHarness, it), model(it)));
    await fc.assert(property, { numRuns: options.runs });
  });
}

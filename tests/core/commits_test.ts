import assert from "node:assert/strict";
import { type Body, Commits, type CommitsOptions, type Slot } from "../../core/commits.ts";
import type { CommitRequest, CommitResult, Driver, Operation, OperationResult } from "../../core/driver.ts";
import { DriverError } from "../../core/errors.ts";
import { ManualClock } from "../../testing/mod.ts";
import { gate, settle } from "./setup.ts";

const LEASE_MS = 30_000;

/** A pipeline over a store whose answers the test gives by hand. */
function make(options: Partial<CommitsOptions> = {}) {
  const clock = new ManualClock();
  const requests: CommitRequest[] = [];
  const answers: ((result: CommitResult | Error) => void)[] = [];
  const told: unknown[] = [];
  const driver = {
    commit: (request: CommitRequest) =>
      new Promise<CommitResult>((resolve, reject) => {
        requests.push(request);
        answers.push((result) => result instanceof Error ? reject(result) : resolve(result));
      }),
  } as Partial<Driver> as Driver;
  const commits = new Commits({
    driver,
    clock,
    workflowId: "w",
    epoch: 3,
    owner: "me",
    leaseMs: LEASE_MS,
    onCommit: ({ now, woken, touched }) => told.push(["commit", now, woken, touched]),
    onGone: (state) => told.push(state),
    onFailure: (error) => told.push(error),
    ...options,
  });
  const results = new Map<string, OperationResult[]>();
  return {
    commits,
    clock,
    requests,
    told,
    results,
    push(label: string, position: number | null, body: Slot["body"]) {
      const of: OperationResult[] = [];
      results.set(label, of);
      commits.push({ position, label, body, onResult: (result) => of.push(result) });
    },
    /** Answers the request under way; `open`: the waits that have no outcome. */
    async answer({ open = [] as string[], state = "held" as "held" | "released", woken = [] as string[] } = {}) {
      const request = requests.at(-1)!;
      const result = ({ label }: Operation): OperationResult =>
        open.includes(label) ? { remainingMs: 1_000 } : { outcome: { tag: "done" } };
      answers.shift()!({ state, results: request.operations.map(result), woken, now: 42 });
      await settle();
    },
    async reply(result: CommitResult | Error) {
      answers.shift()!(result);
      await settle();
    },
    labels: () => requests.map(({ operations }) => operations.map(({ label }) => label)),
  };
}

const write: Body = { type: "writeStream", key: "log", value: "1" };
const receive = (...topics: string[]): Body => ({ type: "receive", topics, timeoutMs: null });
const END = { to: "end", status: "SUCCESS", output: "1", error: null } as const;

Deno.test("push() sends what is issued together in one commit, in the order of the calls, and what is issued meanwhile in the next", async () => {
  const { push, answer, labels, requests, commits } = make();
  push("a", 0, write);
  push("b", 1, write);
  await settle();
  push("c", 2, write);
  push("d", null, write);
  await settle();
  assert.deepEqual(labels(), [["a", "b"]], "one commit is under way at a time");
  await answer();
  await answer();
  assert.deepEqual(labels(), [["a", "b"], ["c", "d"]]);
  assert.deepEqual(
    requests.map(({ workflowId, epoch, owner, number, leaseMs, transition }) => [workflowId, epoch, owner, number, leaseMs, transition]),
    [
      ["w", 3, "me", 1, LEASE_MS, null],
      ["w", 3, "me", 2, LEASE_MS, null],
    ],
  );
  commits.close();
});

Deno.test("push() keeps the place of an operation whose value is still being checked, and leaves out one that is refused", async () => {
  const { push, answer, labels, results, commits } = make();
  const { open, opened } = gate<Body>();
  push("slow", 0, opened);
  push("refused", 1, Promise.resolve());
  push("fast", 2, write);
  await settle();
  assert.deepEqual(labels(), []);
  open(write);
  await settle();
  assert.deepEqual(labels(), [["slow", "fast"]]);
  await answer();
  assert.deepEqual([...results.values()].map(({ length }) => length), [1, 0, 1]);
  commits.close();
});

Deno.test("push() holds up what is behind a value that is being checked, and neither what is before it nor a look", async () => {
  const { push, answer, labels, commits } = make();
  const { open, opened } = gate<Body>();
  push("before", 0, write);
  push("slow", 1, opened);
  push("behind", 2, write);
  void commits.look();
  await settle();
  await answer();
  void commits.look();
  await settle();
  await answer();
  const released = commits.release({ to: "yield" });
  await settle();
  assert.deepEqual(labels(), [["before"], []]);
  open(write);
  await settle();
  assert.deepEqual(labels(), [["before"], [], ["slow", "behind"]]);
  await answer({ state: "released" });
  assert.equal(await released, true);
});

Deno.test("a commit that fails is repeated as it was while the lease may hold and the fault may pass", async () => {
  const { push, reply, answer, requests, clock, told, results, commits } = make();
  push("a", 0, write);
  await settle();
  for (let second = 0; second < 20; second++) {
    await reply(new DriverError("away", { retryable: true }));
    assert.equal(requests.length, second + 1, "there is a pause");
    await clock.advance(1_000);
  }
  assert.equal(requests.length, 21);
  assert.equal(new Set(requests.map((request) => JSON.stringify(request))).size, 1);
  await answer();
  assert.deepEqual([results.get("a")!.length, told.length], [1, 1]);

  // The answer counts as a renewal: from here the lease may hold for 30 s more.
  push("b", 1, write);
  await settle();
  const before = requests.length;
  for (let second = 0; told.length === 1; second++) {
    assert(second < 60, "it is not repeated for ever");
    await reply(new DriverError("away", { retryable: true }));
    await clock.advance(1_000);
  }
  assert(requests.length - before >= LEASE_MS / 1_000 - 1, `${requests.length - before} tries`);
  assert.equal((told[1] as Error).message, "away");
  assert.equal(clock.pending, 0);
  commits.close();
});

Deno.test("close() ends the repeating of a commit that fails, and leaves no timer", async () => {
  const { push, reply, requests, clock, told, commits } = make();
  push("a", 0, write);
  await settle();
  await reply(new DriverError("away", { retryable: true }));
  commits.close();
  await settle();
  assert.equal(clock.pending, 0);
  await clock.advance(LEASE_MS);
  assert.deepEqual([requests.length, told], [1, []]);
});

Deno.test("a commit carries at most 1,000 operations", async () => {
  const { push, answer, requests, commits } = make();
  for (let n = 0; n < 2_500; n++) push(`${n}`, n, write);
  await settle();
  while (requests.reduce((sum, { operations }) => sum + operations.length, 0) < 2_500) await answer();
  assert.deepEqual(requests.map(({ operations }) => operations.length), [1_000, 1_000, 500]);
  commits.close();
});

Deno.test("a commit of large values is split, whichever operations hold them", async () => {
  const value = "x".repeat(2 ** 20);
  const message = { destinationId: "d", topic: "", messageId: "m", dedupeKey: "k", value };
  const large: Body[] = [
    { type: "record", outcome: { tag: "value", value } },
    { type: "send", message },
    { type: "setEvent", key: "e", value },
    { type: "writeStream", key: "s", value },
    { type: "start", workflow: { workflowId: "c", name: "child", input: value } },
  ];
  const { push, answer, requests, commits } = make();
  large.forEach((body, n) => push(`${n}`, n, body));
  await settle();
  for (let commit = 0; commit < 3; commit++) await answer();
  assert.deepEqual(requests.map(({ operations }) => operations.length), [2, 2, 1]);
  commits.close();
});

Deno.test("a new receive takes all open waits along, before it and in the order of their positions", async () => {
  const { push, answer, labels, commits } = make();
  push("second", 4, receive("t"));
  push("first", 2, receive("t"));
  await settle();
  await answer({ open: ["first", "second"] });
  push("write", 5, write);
  await settle();
  await answer();
  push("third", 6, receive("u"));
  await settle();
  assert.deepEqual(labels(), [["second", "first"], ["write"], ["first", "second", "third"]]);
  await answer({ open: ["second"] });
  push("fourth", 7, receive("t"));
  await settle();
  assert.deepEqual(labels().at(-1), ["second", "fourth"], "those that have their outcome are not asked again");
  commits.close();
});

Deno.test("look() looks at all open waits, and settles after its results were handed out", async () => {
  const { push, answer, labels, results, commits } = make();
  push("wait", 0, receive("t"));
  push("sleep", 1, { type: "sleep", timeoutMs: 5 });
  await settle();
  await answer({ open: ["wait", "sleep"] });
  let looked = 0;
  const look = () => commits.look().then(() => looked = results.get("wait")!.length);
  look();
  await settle();
  const late = commits.look();
  assert.deepEqual(labels(), [["wait", "sleep"], ["wait", "sleep"]]);
  await answer({ open: ["wait"] });
  assert.equal(looked, 2);
  assert.deepEqual(labels().slice(2), [["wait"]], "a look that was asked for later is a commit of its own");
  let settled = false;
  void late.then(() => settled = true);
  await settle();
  assert.equal(settled, false);
  await answer();
  assert.equal(settled, true);
  commits.close();
});

Deno.test("release() goes with the last of the queue, and a suspend carries all open waits", async () => {
  const { push, answer, labels, requests, commits, clock } = make();
  push("wait", 0, receive("t"));
  await settle();
  await answer({ open: ["wait"] });
  push("write", 1, write);
  const released = commits.release({ to: "suspend" });
  await settle();
  assert.deepEqual(labels().at(-1), ["wait", "write"]);
  assert.deepEqual(requests.at(-1)!.transition, { to: "suspend" });
  await answer({ open: ["wait"], state: "held" });
  assert.equal(await released, false);
  const again = commits.release({ to: "suspend" });
  await settle();
  await answer({ open: ["wait"], state: "released" });
  assert.equal(await again, true);
  assert.equal(clock.pending, 0);
});

Deno.test("release() waits for all of a queue that is more than one commit", async () => {
  const { push, answer, requests, commits } = make();
  for (let n = 0; n < 1_001; n++) push(`${n}`, n, write);
  const released = commits.release(END);
  await settle();
  assert.equal(requests[0]!.transition, null);
  await answer();
  assert.deepEqual([requests[1]!.operations.length, requests[1]!.transition], [1, END]);
  await answer({ state: "released" });
  assert.equal(await released, true);
});

Deno.test("release() is not made when it is no longer allowed right before it is sent", async () => {
  const { push, answer, requests, commits } = make();
  push("a", 0, write);
  await settle();
  let allowed = true;
  const released = commits.release({ to: "yield" }, () => allowed);
  allowed = false;
  await answer();
  assert.equal(await released, false);
  assert.equal(requests.length, 1);
  commits.close();
});

Deno.test("the lease is renewed every third of it, by every commit anew, and not while a commit is under way", async () => {
  const { push, answer, requests, clock, commits } = make();
  await clock.advance(LEASE_MS / 3 - 1);
  assert.equal(requests.length, 0);
  await clock.advance(1);
  assert.deepEqual(requests.map(({ operations }) => operations.length), [0]);
  await clock.advance(LEASE_MS);
  assert.equal(requests.length, 1);
  await answer();
  await clock.advance(5_000);
  push("a", 0, write);
  await settle();
  await answer();
  assert.equal(clock.pending, 1);
  await clock.advance(LEASE_MS / 3 - 1);
  assert.equal(requests.length, 2);
  await clock.advance(1);
  assert.equal(requests.length, 3);
  await answer();
  commits.close();
  assert.equal(clock.pending, 0);
});

for (const state of ["lost", "cancelled"] as const) {
  Deno.test(`a commit that is answered ${state} is the last: nothing is sent after it, and nobody is left waiting for a look`, async () => {
    const { push, reply, requests, told, clock, commits, results } = make();
    push("a", 0, write);
    await settle();
    push("b", 1, write);
    const look = commits.look();
    await reply({ state });
    await look;
    push("c", 2, write);
    await commits.look();
    await clock.advance(LEASE_MS);
    assert.deepEqual(told, [state]);
    assert.equal(requests.length, 1);
    assert.deepEqual([...results.values()].flat(), []);
    assert.equal(clock.pending, 0);
  });
}

Deno.test("a store that fails is told once, and nothing is sent after it", async () => {
  const { push, reply, requests, told, clock, commits } = make();
  const failure = new DriverError("refused", { retryable: false });
  push("a", 0, write);
  await settle();
  const look = commits.look();
  await reply(failure);
  await look;
  push("b", 1, write);
  await clock.advance(LEASE_MS);
  assert.deepEqual(told, [failure]);
  assert.deepEqual([requests.length, clock.pending], [1, 0]);
});

Deno.test("close() makes an answer that comes later count for nothing", async () => {
  for (
    const late of [{ state: "lost" }, new Error("away"), {
      state: "held",
      results: [{ outcome: { tag: "done" } }],
      woken: [],
      now: 1,
    }] as const
  ) {
    const { push, reply, told, clock, commits, results } = make();
    push("a", 0, write);
    await settle();
    commits.close();
    await reply(late as CommitResult | Error);
    assert.deepEqual([told, results.get("a"), clock.pending], [[], [], 0]);
  }
});

Deno.test("onCommit gets the store's time, the woken, and whose watchers should look again", async () => {
  const { push, answer, told, commits } = make();
  push("sleep", 0, { type: "sleep", timeoutMs: 1 });
  push("record", 1, { type: "record", outcome: { tag: "value", value: "1" } });
  await settle();
  await answer({ open: ["sleep"] });
  push("send", 2, { type: "send", message: { destinationId: "d", topic: "", messageId: "m", dedupeKey: "k", value: "1" } });
  await settle();
  await answer({ woken: ["d"] });
  for (const body of [write, { type: "closeStream", key: "s" }, { type: "setEvent", key: "e", value: "1" }] as const) {
    push(body.type, null, body);
    await settle();
    await answer();
  }
  void commits.release({ to: "yield" });
  await settle();
  await answer({ state: "released" });
  assert.deepEqual(told, [
    ["commit", 42, [], []],
    ["commit", 42, ["d"], ["inbox:d"]],
    ["commit", 42, [], ["outbox:w"]],
    ["commit", 42, [], ["outbox:w"]],
    ["commit", 42, [], ["outbox:w"]],
    ["commit", 42, [], ["outbox:w"]],
  ]);
});

Deno.test("waits() holds what has begun and has no outcome", async () => {
  const { push, answer, commits } = make();
  push("wait", 3, receive("t"));
  push("write", 4, write);
  await settle();
  await answer({ open: ["wait"] });
  assert.deepEqual([...commits.waits.keys()], [3]);
  void commits.look();
  await settle();
  await answer();
  assert.deepEqual([...commits.waits.keys()], []);
  commits.close();
});

import assert from "node:assert/strict";
import type { CommitResult } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { LEASE_MS, make, write } from "./commits_setup.ts";
import { settle } from "../setup.ts";

Deno.test("the lease is renewed a third of its length after each commit, and never during a commit", async () => {
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
  Deno.test(`a commit that is answered ${state} is the last, and ends all waiting looks`, async () => {
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

Deno.test("a failure of the store is reported once, and no commit follows it", async () => {
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

Deno.test("close() makes later answers have no effect", async () => {
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

Deno.test("onCommit gets the store's time, the woken workflows, and the targets to look at again", async () => {
  const { push, answer, told, commits } = make();
  push("sleep", 0, { type: "sleep", timeoutMs: 1 });
  push("record", 1, { type: "record", outcome: { tag: "value", value: "1" } });
  await settle();
  await answer({ open: ["sleep"] });
  push("send", 2, {
    type: "send",
    message: { destinationId: "d", topic: "", messageId: "m", dedupeKey: "k", value: "1" },
  });
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
    ["commit", 42, [], ["stream:w"]],
    ["commit", 42, [], ["stream:w"]],
    ["commit", 42, [], ["event:w"]],
    ["commit", 42, [], []],
  ]);
  const ended = make();
  void ended.commits.release({ to: "end", status: "SUCCESS", output: null, error: null });
  await settle();
  await ended.answer({ state: "released" });
  assert.deepEqual(ended.told, [["commit", 42, [], ["event:w", "stream:w", "result:w"]]]);
});

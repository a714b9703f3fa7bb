import assert from "node:assert/strict";
import type { EffectOrWait } from "../../../core/run/journal/operation.ts";
import { DriverError } from "../../../core/errors.ts";
import { LEASE_MS, make, write } from "./commits_setup.ts";
import { gate, settle } from "../setup.ts";

Deno.test("push() sends concurrent operations in one commit, in the order of the calls, and later ones in the next", async () => {
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
    requests.map((
      { workflowId, epoch, owner, number, leaseMs, transition },
    ) => [workflowId, epoch, owner, number, leaseMs, transition]),
    [
      ["w", 3, "me", 1, LEASE_MS, null],
      ["w", 3, "me", 2, LEASE_MS, null],
    ],
  );
  commits.close();
});

Deno.test("push() keeps the place of an operation during its value's check, and omits a refused operation", async () => {
  const { push, answer, labels, results, commits } = make();
  const { open, opened } = gate<EffectOrWait>();
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

Deno.test("push() holds back operations behind a value that is being checked, but no earlier one and no look", async () => {
  const { push, answer, labels, commits } = make();
  const { open, opened } = gate<EffectOrWait>();
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

Deno.test("a failed commit is repeated unchanged while the lease may be valid and the fault may pass", async () => {
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

  // The answer renews the lease, which may be valid for another 30 s from here.
  push("b", 1, write);
  await settle();
  const before = requests.length;
  for (let second = 0; told.length === 1; second++) {
    assert(second < 60, "the retries end");
    await reply(new DriverError("away", { retryable: true }));
    await clock.advance(1_000);
  }
  assert(requests.length - before >= LEASE_MS / 1_000 - 1, `${requests.length - before} tries`);
  assert.equal((told[1] as Error).message, "away");
  assert.equal(clock.pending, 0);
  commits.close();
});

Deno.test("close() ends the retries of a failed commit, and leaves no timer", async () => {
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

Deno.test("a commit with large values is split, whichever operations contain them", async () => {
  const value = "x".repeat(2 ** 20);
  const message = { destinationId: "d", topic: "", messageId: "m", dedupeKey: "k", value };
  const large: EffectOrWait[] = [
    { type: "record", outcome: { tag: "value", value } },
    { type: "send", message },
    { type: "setEvent", key: "e", value },
    { type: "writeStream", key: "s", value },
    { type: "start", workflow: { workflowId: "c", name: "child", input: value } },
  ];
  const { push, answer, requests, commits } = make();
  large.forEach((action, n) => push(`${n}`, n, action));
  await settle();
  for (let commit = 0; commit < 3; commit++) await answer();
  assert.deepEqual(requests.map(({ operations }) => operations.length), [2, 2, 1]);
  commits.close();
});

Deno.test("push() splits a commit whose operations have more than 2 MiB of names", async () => {
  const { driver, push, answer, requests, commits } = make();
  Object.assign(driver, {
    limits: { requestBytes: 2 ** 23, bytesOf: (text: string) => new TextEncoder().encode(text).length },
  });
  const long = "\u{1F600}".repeat(250);
  const message = { destinationId: long, topic: long, messageId: "m", dedupeKey: long, value: "1" };
  for (let position = 0; position < 1_000; position++) push(long, position, { type: "send", message });
  await settle();
  await answer();
  assert.deepEqual(requests.map(({ operations }) => operations.length), [524, 476]);
  commits.close();
});

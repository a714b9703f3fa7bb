import assert from "node:assert/strict";
import { END, make, receive, write } from "./commits_setup.ts";
import { settle } from "../setup.ts";

Deno.test("a new receive travels behind all open waits, which are in the order of their positions", async () => {
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
  assert.deepEqual(labels().at(-1), ["second", "fourth"], "waits with an outcome are not asked again");
  commits.close();
});

Deno.test("look() looks at all open waits, and settles after their outcomes are delivered", async () => {
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
  assert.deepEqual(labels().slice(2), [["wait"]], "a later look is its own commit");
  let settled = false;
  void late.then(() => settled = true);
  await settle();
  assert.equal(settled, false);
  await answer();
  assert.equal(settled, true);
  commits.close();
});

Deno.test("release() travels with the end of the queue, and a suspend carries all open waits", async () => {
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

Deno.test("release() waits for a queue that needs more than one commit", async () => {
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

Deno.test("release() is dropped if it is no longer allowed right before the commit", async () => {
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

Deno.test("waits() contains the waits that have begun and have no outcome", async () => {
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

Deno.test("deferred waits are committed again in order, with the release that was not made", async () => {
  const { push, reply, labels, results, commits, requests } = make();
  for (const [position, label] of ["a", "b", "c"].entries()) push(label, position, receive(label));
  const released = commits.release(END);
  await settle();
  const outcome = { outcome: { tag: "message", value: "1", topic: "a" } } as const;
  await reply({ state: "held", results: [outcome, { deferred: true }, { deferred: true }], woken: [], now: 1 });
  await reply({ state: "held", results: [outcome, { deferred: true }], woken: [], now: 2 });
  await reply({ state: "released", results: [{ remainingMs: null }], woken: [], now: 3 });
  assert.deepEqual(labels(), [["a", "b", "c"], ["b", "c"], ["c"]]);
  assert.deepEqual(requests.map(({ transition }) => transition?.to), ["end", "end", "end"]);
  assert.equal(await released, true);
  assert.deepEqual(results.get("b"), [{ deferred: true }, outcome]);
});

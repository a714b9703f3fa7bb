/**
 * Rules for a resume that drops entries of the journal.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ControlResult, Driver } from "../../../core/driver/driver.ts";
import { begin, cancel, claimIds, enqueue, resume, take } from "../../driven_run.ts";
import {
  closeStream,
  end,
  observeResult,
  receive,
  record,
  send,
  setEvent,
  sleep,
  start,
  writeStream,
} from "../../operations.ts";
import { LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** Rewinds. */
export const rewinds: Rules = {
  "control() resumes from ERROR: without the error that it failed with, and without all later entries": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await run.released(
      [record(0, "kept"), record(2, "later"), record(1, { tag: "error", value: "boom" })],
      { to: "end", status: "ERROR", output: null, error: "boom", failedPosition: 1 },
    );
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: ["w"] });
    const { status, error, endedAt, failed, rewinds } = (await a.readWorkflow("w"))!;
    assert.deepEqual([status, error, endedAt, failed, rewinds], ["PENDING", null, null, null, 1]);
    assert.deepEqual(await positions(b, "w"), [0]);
    const next = await take(b, "w");
    assert.equal(next.epoch, 3, "one for each claim and one for the resume");
    assert.equal(next.claimed.workflow.rewinds, 1);
    assert.deepEqual(next.claimed.journal.entries.map(({ outcome }) => outcome.value), ["kept"]);
    assert.deepEqual(await next.outcomes([record(1, "now"), record(2, "again")]), [
      { tag: "value", value: "now" },
      { tag: "value", value: "again" },
    ]);
    await next.end("SUCCESS", "fine");
    assert.equal((await a.readWorkflow("w"))?.output, "fine");
  },

  "control() resumes from ERROR with the whole journal if no recorded error ended it": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await run.released([record(0, "0"), record(1, { tag: "error", value: "caught" })], end("ERROR", "boom"));
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: ["w"] });
    assert.equal((await a.readWorkflow("w"))?.rewinds, 0);
    assert.deepEqual(await positions(b, "w"), [0, 1]);
  },

  "control() resumes from a position, from every ended status but SUCCESS": async ({ drivers: [a, b] }) => {
    for (const status of ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"] as const) {
      const run = await begin(a, status);
      await run.held([record(0, "0"), record(1, "1"), record(2, "2")]);
      if (status === "CANCELLED") await cancel(a, status);
      else await run.end(status, "boom");
      assert.deepEqual(await resumeFrom(b, status, 1), { state: "done", woken: [status] });
      assert.deepEqual(await positions(b, status), [0], status);
      assert.equal((await take(b, status)).claimed.workflow.status, "PENDING");
    }
    await (await begin(a, "fine")).released([record(0, "0")], end());
    assert.deepEqual(await resumeFrom(b, "fine", 0), { state: "ended", status: "SUCCESS" });
    assert.deepEqual(await positions(b, "fine"), [0]);
    assert.deepEqual(await resumeFrom(b, "missing", 0), { state: "not_found" });
  },

  "control() refuses to resume from a position while the workflow has not ended": async ({ drivers: [a, b] }) => {
    await enqueue(a, "enqueued");
    const run = await begin(a, "running");
    await run.held([record(0, "0")]);
    assert.deepEqual(await resumeFrom(b, "enqueued", 0), { state: "active", status: "ENQUEUED" });
    assert.deepEqual(await resumeFrom(b, "running", 0), { state: "active", status: "PENDING" });
    assert.deepEqual(await positions(b, "running"), [0]);
    await run.held([record(1, "1")]);
  },

  "control() drops entries once when a resume from a position is repeated": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.released([record(0, "0"), record(1, "1")], end("ERROR", "boom"));
    const request = { workflowId: "w", action: "resume", from: { position: 1, token: "token" } } as const;
    for (const driver of [a, b]) assert.deepEqual(await driver.control(request), { state: "done", woken: ["w"] });
    assert.equal((await a.readWorkflow("w"))?.rewinds, 1);
    const next = await take(b, "w");
    assert.equal(next.epoch, 3);
    await next.held([record(1, "new")]);
    assert.deepEqual(await a.control(request), { state: "active", status: "PENDING" }, "it runs again");
    assert.deepEqual(await positions(b, "w"), [0, 1]);
  },

  "control() makes messages of dropped entries unread again, in their old places": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const value of ["1", "2", "3", "4"]) await a.send([newMessage("w", { value, dedupeKey: `key:${value}` })]);
    await a.send([newMessage("w", { value: "t1", topic: "t" })]);
    await run.held([receive(0, [""]), receive(1, [""]), receive(2, ["t"]), receive(3, [""])]);
    await run.end("ERROR", "boom");
    await resumeFrom(b, "w", 1);
    assert.equal((await a.readWorkflow("w", { counts: true }))?.unread, 4);
    const listed = await b.listMessages({ workflowId: "w", state: "all", topic: null, after: null, limit: 10 });
    assert.deepEqual(listed.items.map(({ value, received }) => [value, received?.position ?? null]), [
      ["1", 0],
      ["2", null],
      ["3", null],
      ["4", null],
      ["t1", null],
    ]);
    const repeated = await a.send([newMessage("w", { value: "2", dedupeKey: "key:2" })]);
    assert(repeated.state === "sent" && repeated.receipts[0]?.duplicate, "the key is still known");
    const next = await take(b, "w");
    await a.send([newMessage("w", { value: "5" })]);
    assert.deepEqual(await next.drain(), ["2", "3", "4", "5"]);
    assert.deepEqual(await next.drain(["t"]), ["t1"]);
  },

  "control() makes many received messages unread again": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const values = Array.from({ length: 200 }, (_, index) => `${index}`);
    await a.send(values.map((value) => newMessage("w", { value })));
    for (let position = 0; position < 200; position += 50) {
      await run.held(Array.from({ length: 50 }, (_, index) => receive(position + index, [""])));
    }
    await run.end("ERROR", "boom");
    await resumeFrom(b, "w", 10);
    assert.deepEqual(await (await take(b, "w")).drain(), values.slice(10));
  },

  "control() keeps what dropped entries sent, started, set and wrote": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await begin(a, "other");
    await run.released(
      [
        send(0, newMessage("other", { value: "sent" })),
        setEvent(1, "k", "v"),
        writeStream(2, "s", "1"),
        start(3, newWorkflow("child")),
        closeStream(4, "closed"),
      ],
      end("ERROR", "boom"),
    );
    await resumeFrom(b, "w", 0);
    assert.equal((await a.readWorkflow("other", { counts: true }))?.unread, 1);
    assert.equal((await a.readEvent({ workflowId: "w", key: "k" })).event?.version, 1);
    const next = await take(b, "w");
    assert.deepEqual(
      (await next.outcomes([
        send(0, newMessage("other", { value: "sent" })),
        setEvent(1, "k", "v"),
        writeStream(2, "s", "2"),
        start(3, newWorkflow("child")),
        writeStream(4, "closed", "1"),
      ])).map((it) => it === "open" ? it : it.tag),
      ["sent", "done", "done", "done", "stream_closed"],
    );
    assert.equal((await a.readWorkflow("other", { counts: true }))?.unread, 2);
    assert.equal((await a.readEvent({ workflowId: "w", key: "k" })).event?.version, 2);
    const { values } = await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 });
    assert.deepEqual(values, ["1", "2"]);
  },

  "control() drops open entries too, and the new wait has its whole time": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    await run.held([record(0, "0"), sleep(1, LEASE_MS), receive(2, ["t"])]);
    await cancel(a, "w");
    await advance(LEASE_MS / 2);
    await resumeFrom(b, "w", 1);
    const next = await take(b, "w");
    assert.deepEqual(next.claimed.open, []);
    const result = await next.held([sleep(1, LEASE_MS)]);
    const [slept] = result.results;
    assert(slept && "remainingMs" in slept && slept.remainingMs! > LEASE_MS * 0.6, JSON.stringify(slept));
  },

  "a journal goes on in recorded order after a rewind": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([record(2, "2"), record(0, "0")]);
    await run.released([record(1, "1")], end("ERROR", "boom"));
    await resumeFrom(b, "w", 2);
    const next = await take(b, "w");
    await next.held([record(2, "new")]);
    const { entries } = await a.readJournal({ workflowId: "w", after: -1, limit: 10 });
    assert.deepEqual(entries.map(({ outcome }) => outcome.value), ["0", "1", "new"]);
    const seqs = entries.map(({ seq }) => seq);
    assert.deepEqual(seqs, [...new Set(seqs)].sort((x, y) => x - y));
    const page = await a.readJournal({ workflowId: "w", after: seqs[0]!, limit: 1 });
    assert.deepEqual([page.entries.map(({ outcome }) => outcome.value), page.more], [["1"], true]);
  },

  "a rewound wait for a child that still exists gets its result again": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([start(0, newWorkflow("child"))]);
    await (await take(b, "child")).end("SUCCESS", "result");
    await run.held([observeResult(1, "child", null, true)]);
    await run.end("ERROR", "boom");
    await resumeFrom(b, "w", 1);
    const next = await take(b, "w");
    assert.deepEqual(await next.outcomes([observeResult(1, "child", null, true)]), [{ tag: "value", value: "result" }]);
  },

  "a resume from beyond the journal drops nothing": async ({ drivers: [a, b] }) => {
    await (await begin(a, "w")).released([record(0, "0")], end("ERROR", "boom"));
    assert.equal((await resumeFrom(b, "w", 5)).state, "done");
    assert.deepEqual(await positions(b, "w"), [0]);
    assert.equal((await a.readWorkflow("w"))?.rewinds, 0);
    assert.deepEqual(await claimIds(b), ["w"]);
  },
};

/** Resumes from a position, with a new token. */
function resumeFrom(driver: Driver, workflowId: string, position: number): Promise<ControlResult> {
  return driver.control({ workflowId, action: "resume", from: { position, token: crypto.randomUUID() } });
}

async function positions(driver: Driver, workflowId: string): Promise<number[]> {
  const { items } = await driver.readHistory({ workflowId, after: null, limit: 100 });
  return items.map(({ position }) => position);
}

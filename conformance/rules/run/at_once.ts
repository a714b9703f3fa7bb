/**
 * Rules for commits of several workflows that are made at once. A driver may carry them out together.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import {
  end,
  observeEvent,
  observeResult,
  receive,
  record,
  send,
  setEvent,
  start,
  SUSPEND,
  writeStream,
  YIELD,
} from "../../operations.ts";
import { LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import { answers, begin, beginSuspended, cancel, committed, DrivenRun, take, valueOutcome } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** The number of commits at once, which is more than a client has connections. */
const MANY = 40;

function beginMany(driver: Driver, prefix: string = "w"): Promise<DrivenRun[]> {
  return Promise.all(Array.from({ length: MANY }, (_, index) => begin(driver, `${prefix}${index}`)));
}

/** Commits that are made at once. */
export const atOnce: Rules = {
  "create()s that are made at once are each answered by themselves": async ({ drivers: [a, b] }) => {
    await begin(b, "w7");
    const created = await Promise.all(Array.from({ length: MANY }, async (_, index) => {
      const run = await begin(a, `w${index}`).catch(() => null);
      return run?.workflowId ?? null;
    }));
    assert.deepEqual(created, Array.from({ length: MANY }, (_, index) => index === 7 ? null : `w${index}`));
  },

  "commit()s that are made at once are each answered by themselves": async ({ drivers: [a, b] }) => {
    const runs = await beginMany(a);
    await cancel(b, "w1");
    const zombie = new DrivenRun(a, "w2", { epoch: runs[2]!.epoch, owner: "another" });
    const first = runs[3]!.next([record(0, "3")]);
    await a.commit(first);
    const results = await Promise.all(runs.map((run, index) => {
      if (index === 2) return zombie.commit([record(0, "zombie")]);
      if (index === 3) return a.commit(first);
      if (index % 3 === 0) return run.commit([record(0, `${index}`)]);
      if (index % 3 === 1) return run.commit([], end("SUCCESS", `${index}`));
      return run.commit([writeStream(0, "s", `${index}`), setEvent(1, "k", `${index}`)], YIELD);
    }));
    for (const [index, result] of results.entries()) {
      const { state } = result;
      if (index === 1) assert.equal(state, "cancelled");
      else if (index === 2) assert.equal(state, "lost");
      else if (index % 3 === 0) assert.deepEqual(answers(committed(result, "held")), [valueOutcome(`${index}`)]);
      else assert.equal(state, "released");
    }
    for (let index = 4; index < MANY; index += 3) {
      const workflow = await b.readWorkflow(`w${index}`);
      assert.deepEqual([workflow?.status, workflow?.output], ["SUCCESS", `${index}`]);
    }
    for (let index = 5; index < MANY; index += 3) {
      const { values } = await b.readStream({ workflowId: `w${index}`, key: "s", from: 0, limit: 10 });
      const { event } = await b.readEvent({ workflowId: `w${index}`, key: "k" });
      assert.deepEqual([values, event?.value], [[`${index}`], `${index}`]);
    }
    assert.equal((await b.readEvent({ workflowId: "w2", key: "k" })).event, null);
  },

  "commit()s that are made at once send to each other, in any order": async ({ drivers: [a] }) => {
    const runs = await beginMany(a);
    await Promise.all(runs.map((run, index) => {
      const others = [1, 5, 17].map((step) => `w${(index + step) % MANY}`);
      return run.held(others.map((id, position) => send(position, newMessage(id, { value: `${index}` }))));
    }));
    for (const [index, run] of runs.entries()) {
      const from = [1, 5, 17].map((step) => `${(index - step + MANY) % MANY}`);
      assert.deepEqual((await run.drain()).sort(), from.sort());
    }
  },

  "a suspend and what fills its slot do not miss each other, made at once": async ({ drivers: [a] }) => {
    const [waiting, filling] = await Promise.all([beginMany(a, "a"), beginMany(a, "b")]);
    const commits = waiting.flatMap((run, index) => {
      const other = filling[index]!;
      const isEvent = index % 2 === 0;
      const wait = () =>
        run.commit([isEvent ? observeEvent(0, other.workflowId, "k") : observeResult(0, other.workflowId)], SUSPEND);
      const fill = () => isEvent ? other.commit([setEvent(0, "k", "1")]) : other.commit([], end("SUCCESS", "1"));
      return index % 4 < 2 ? [wait(), fill()] : [fill(), wait()];
    });
    const results = await Promise.all(commits);
    for (const [index, run] of waiting.entries()) {
      const result = results.slice(2 * index, 2 * index + 2)[index % 4 < 2 ? 0 : 1]!;
      // The wait has found it, or the workflow is due.
      if (result.state === "released") {
        const next = await take(a, run.workflowId);
        const operation = index % 2 === 0 ? observeEvent(0, `b${index}`, "k") : observeResult(0, `b${index}`);
        assert.deepEqual(await next.outcomes([operation]), [valueOutcome("1")]);
      } else {
        assert.deepEqual(answers(committed(result, "held")), [valueOutcome("1")]);
      }
    }
  },

  "a commit() wakes all that wait for it, made at once with others": async ({ drivers: [a] }) => {
    const runs = await beginMany(a);
    for (let index = 0; index < 5; index++) await beginSuspended(a, `e${index}`, [observeEvent(0, "w3", "k")]);
    for (let index = 0; index < 5; index++) await beginSuspended(a, `m${index}`, [receive(0, [""])]);
    const results = await Promise.all(runs.map((run, index) => {
      if (index === 3) return run.held([setEvent(0, "k", "1")]);
      return run.held(index < 35 ? [record(0, "0")] : [send(0, newMessage(`m${index - 35}`))]);
    }));
    assert.deepEqual(results[3]!.woken.toSorted(), ["e0", "e1", "e2", "e3", "e4"]);
    assert.deepEqual(results.slice(35).flatMap(({ woken }) => woken).sort(), ["m0", "m1", "m2", "m3", "m4"]);
  },

  "ends of parents and children may be made at once": async ({ drivers: [a, b], advance }) => {
    const parents = await beginMany(a, "p");
    await Promise.all(parents.map((run, index) => run.held([start(0, newWorkflow(`c${index}`))])));
    const children = await Promise.all(parents.map((_, index) => take(a, `c${index}`)));
    await Promise.all(parents.flatMap((run, index) => [children[index]!.end(), run.end()]));
    await advance(LEASE_MS);
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 1_000 }), { purged: 2 * MANY });
  },
};

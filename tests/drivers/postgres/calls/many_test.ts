/**
 * Starts, and commits of several runs, that short functions carry out in one statement.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import type { Operation, Transition } from "../../../../core/driver/driver.ts";
import { end, observeResult, record, start, SUSPEND } from "../../../../conformance/operations.ts";
import { claimRequest, commitRequest, createRequest, newWorkflow } from "../../../../conformance/requests.ts";
import { canonical } from "../../../support/differential/canonical.ts";
import { pgliteTest } from "../support/pglite.ts";
import { openStore, type Store } from "../support/short_store.ts";

/** The runs of which some commit together, and what each does. */
const COMMITS: Readonly<Record<string, readonly [operations: Operation[], transition: Transition | null]>> = {
  "travels alone": [[record(1, "1")], null],
  "an end": [[], end()],
  "an error": [[], end("ERROR", "failed")],
  "an end of which the result is awaited": [[], end()],
  "an end with a child": [[], end()],
  "an error that is recorded": [[], { to: "end", status: "ERROR", output: null, error: "failed", failedPosition: 0 }],
  "a step": [[record(1, '"\\u0000"')], null],
  "a step that took some time and tries": [[{ ...record(1, "1"), ageMs: 5, attempts: 3 }], null],
  "a step of a workflow with a problem": [[record(1, { tag: "error", value: "failed" })], null],
  "a step that was recorded": [[record(0, "other")], null],
  "a step of a cancelled workflow": [[record(1, "1")], null],
  "a step after the lease was lost": [[record(1, "1")], null],
};

async function commitAll({ driver, at }: Store): Promise<unknown[]> {
  await at(0);
  const ids = Object.keys(COMMITS);
  const runs = ids.map((workflowId) => ({ workflowId, epoch: 1, owner: `owner of ${workflowId}`, number: 1 }));
  for (const run of runs) {
    await driver.create(createRequest(run.workflowId, { owner: run.owner, leaseMs: 60_000 }));
    const isParent = run.workflowId === "an end with a child";
    await driver.commit(commitRequest(run, [isParent ? start(0, newWorkflow("child")) : record(0, "0")]));
    run.number += 1;
  }
  const waiter = { workflowId: "waiter", epoch: 1, owner: "waiter", number: 1 };
  await driver.create(createRequest("waiter", { owner: "waiter", leaseMs: 60_000 }));
  await driver.commit(commitRequest(waiter, [observeResult(0, "an end of which the result is awaited")], SUSPEND));
  await driver.control({ workflowId: "a step of a cancelled workflow", action: "cancel" });
  await at(61_000);
  await driver.claim(claimRequest({ workflowIds: ["a step after the lease was lost"], owner: "other" }));
  const requests = runs.map((run) => commitRequest(run, ...COMMITS[run.workflowId]!));
  const first = await Promise.all(requests.map((request) => driver.commit(request)));
  await at(62_000);
  const again = await Promise.all(requests.map((request) => driver.commit(request)));
  return [...first, ...again];
}

pgliteTest(
  "starts of several workflows are answered as by the function for all cases, and leave the same rows",
  async () => {
    const database = await PGlite.create();
    const startAll = async ({ driver, at }: Store) => {
      await at(0);
      await driver.create(createRequest("known", { owner: "first", leaseMs: 60_000 }));
      await at(1);
      const requests = ["alone", "b", "known", "a", "a", "c"].map((workflowId, index) =>
        createRequest(workflowId, { owner: `owner ${index}`, leaseMs: 60_000 })
      );
      const first = await Promise.all(requests.map((request) => driver.create(request)));
      return [...first, ...await Promise.all(requests.map((request) => driver.create(request)))];
    };
    const short = await openStore(database, "short", true, 1);
    const long = await openStore(database, "long", false, 1);
    const answers = [await startAll(short), await startAll(long)];
    assert.deepEqual(canonical(answers[0], false), canonical(answers[1], false));
    assert.deepEqual(await short.rows(), await long.rows());
    assert(short.called.has("create_many"));
    const isCreated = [true, true, false, true, false, true];
    assert.deepEqual((answers[0] as { created: boolean }[]).map(({ created }) => created), [
      ...isCreated,
      ...isCreated,
    ]);
    await database.close();
  },
);

pgliteTest(
  "commits of several runs are answered as by the function for all cases, and leave the same rows",
  async () => {
    const database = await PGlite.create();
    const short = await openStore(database, "short", true, 1);
    const long = await openStore(database, "long", false, 1);
    const answers = [await commitAll(short), await commitAll(long)];
    assert.deepEqual(canonical(answers[0], false), canonical(answers[1], false));
    assert.deepEqual(await short.rows(), await long.rows());
    assert(short.called.has("commit_many"));
    const states = (answers[0] as { state: string }[]).map(({ state }) => state);
    const ends = ["released", "released", "released", "released", "released"];
    assert.deepEqual(states, [
      ...["held", ...ends, "held", "held", "held", "held", "cancelled", "lost"],
      ...["held", ...ends, "held", "held", "held", "held", "cancelled", "lost"],
    ]);
    await database.close();
  },
);

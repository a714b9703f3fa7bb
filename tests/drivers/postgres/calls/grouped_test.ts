/**
 * Group commit: calls that wait for a connection travel in one statement.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import type { Driver, Operation } from "../../../../core/driver/driver.ts";
import { DriverError } from "../../../../core/errors.ts";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import { begin, type DrivenRun } from "../../../../conformance/driven_run.ts";
import { receive, record, send, setEvent } from "../../../../conformance/operations.ts";
import { newMessage } from "../../../../conformance/requests.ts";
import { pgliteTest } from "../support/pglite.ts";

interface Counted {
  readonly driver: Driver;
  /** How many requests each statement carried, by the name of its function. */
  readonly statements: [name: string, requests: number][];
  /** Rejects the next statement that carries several requests with this error. */
  failNext(error: Error): void;
}

/** A driver for a client that says how many connections it has. */
function counted(pglite: PGlite, schema: string, options?: { max: number }, members: object = {}): Counted {
  const statements: Counted["statements"] = [];
  let failure: Error | undefined;
  const client: Queryable & { options?: { max: number } } = {
    ...members,
    ...(options && { options }),
    query: async (text, params = []) => {
      const [, name = ""] = /\.([a-z_]+)_v1\(/.exec(text) ?? [];
      // A short function takes one call, as several parameters.
      const request = params.length === 1 ? JSON.parse(`${params[0]}`) : undefined;
      statements.push([name, Array.isArray(request) ? request.length : 1]);
      if (failure && Array.isArray(request) && request.length > 1) {
        const error = failure;
        failure = undefined;
        throw error;
      }
      return await pglite.query(text, params) as { rows: Record<string, unknown>[] };
    },
  };
  return {
    driver: postgresDriver(client, { schema, prepare: false }),
    statements,
    failNext: (error) => failure = error,
  };
}

// One database for all tests, since it takes seconds to boot.
let database: Promise<PGlite> | undefined;
let schemas = 0;

/** Runs a test with leased runs in a schema of its own. */
async function withRuns(
  count: number,
  options: { max: number } | undefined,
  test: (it: Counted & { runs: DrivenRun[] }) => Promise<void>,
  members: object = {},
): Promise<void> {
  database ??= PGlite.create();
  const it = counted(await database, `grouped_${schemas++}`, options, members);
  await it.driver.migrate?.();
  const runs: DrivenRun[] = [];
  for (let index = 0; index < count; index++) runs.push(await begin(it.driver, `w${index}`));
  it.statements.length = 0;
  await test({ ...it, runs });
}

pgliteTest("calls that wait for a connection travel in one statement, and no call waits for others", async () => {
  await withRuns(100, { max: 3 }, async ({ runs, statements, driver }) => {
    const results = await Promise.all(runs.map((run, index) => run.commit([record(0, `${index}`)])));
    assert(results.every(({ state }) => state === "held"));
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 1, 1, 97]);
    statements.length = 0;
    await Promise.all(Array.from({ length: 250 }, (_, index) => begin(driver, `n${index}`)));
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 1, 1, 100, 100, 47]);
  });
});

pgliteTest("a client that does not say how many connections it has is taken to have ten", async () => {
  await withRuns(14, undefined, async ({ runs, statements }) => {
    await Promise.all(runs.map((run) => run.held([record(0, "0")])));
    assert.deepEqual(statements.map(([, requests]) => requests), [...Array(10).fill(1), 4]);
  });
});

pgliteTest("a Client of node-postgres is taken for the one connection that it is", async () => {
  await withRuns(5, undefined, async ({ runs, statements }) => {
    await Promise.all(runs.map((run) => run.held([record(0, "0")])));
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 4]);
  }, { connectionParameters: {} });
});

pgliteTest("a statement carries at most about 1 MiB, or one call", async () => {
  await withRuns(8, { max: 1 }, async ({ runs, statements }) => {
    const value = JSON.stringify("x".repeat(400_000));
    await Promise.all(runs.map((run) => run.held([record(0, value)])));
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 2, 2, 2, 1]);
    statements.length = 0;
    const large = JSON.stringify("x".repeat(1_500_000));
    await Promise.all(runs.slice(0, 3).map((run) => run.held([record(1, large)])));
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 1, 1]);
  });
});

pgliteTest("answers that would be too large for one answer are left to the next statement", async () => {
  await withRuns(4, { max: 1 }, async ({ runs, statements, driver }) => {
    const value = JSON.stringify("x".repeat(600_000));
    for (const run of runs) await driver.send([newMessage(run.workflowId, { value })]);
    statements.length = 0;
    const results = await Promise.all(runs.map((run) => run.outcomes([receive(0, [""])])));
    assert.deepEqual(results.map(([result]) => result !== "open" && result?.value === value), [true, true, true, true]);
    // The first goes alone. Of three that wait, two fill an answer.
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 3, 1]);
  });
});

/** Calls of one statement, the function for all cases or the one for short commits, and one that fails in it. */
const FAILURES: readonly { good: Operation; bad: Operation }[] = [
  { good: setEvent(0, "event", "0"), bad: { ...record(0, "0"), position: null } },
  { good: record(0, "0"), bad: record(2 ** 31, "0") },
];

pgliteTest("the failure of one call is its own", async () => {
  for (const { good, bad } of FAILURES) {
    await withRuns(6, { max: 1 }, async ({ runs, statements }) => {
      const results = await Promise.allSettled(runs.map((run, index) => run.commit([index === 3 ? bad : good])));
      assert.deepEqual(results.map(({ status }) => status === "fulfilled"), [true, true, true, false, true, true]);
      const { reason } = results[3] as PromiseRejectedResult;
      assert(reason instanceof DriverError && !reason.retryable, String(reason));
      assert.deepEqual(statements.map(([, requests]) => requests), [1, 5, 1, 1, 1, 1, 1]);
    });
  }
});

pgliteTest("a failure of the connection is that of all its calls, and may be repeated", async () => {
  await withRuns(5, { max: 1 }, async ({ runs, statements, failNext, driver }) => {
    failNext(new Error("the connection broke"));
    const requests = runs.map((run) => run.next([send(0, newMessage("w0"))]));
    const results = await Promise.allSettled(requests.map((request) => driver.commit(request)));
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", ...Array(4).fill("rejected")]);
    for (const result of results.slice(1) as PromiseRejectedResult[]) {
      assert(result.reason instanceof DriverError && result.reason.retryable);
    }
    assert.deepEqual(statements.map(([, requests]) => requests), [1, 4]);
    const again = await Promise.all(requests.map((request) => driver.commit(request)));
    assert(again.every(({ state }) => state === "held"));
    assert.equal((await runs[0]!.drain()).length, 5);
  });
});

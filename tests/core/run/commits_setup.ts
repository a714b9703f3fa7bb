/**
 * A pipeline of commits to a store that the test answers by hand.
 *
 * @module
 */

import { Commits, type CommitsOptions } from "../../../core/run/journal/commits.ts";
import type { EffectOrWait, PendingOperation } from "../../../core/run/journal/operation.ts";
import type { CommitRequest, CommitResult, Driver, Operation, OperationResult } from "../../../core/driver/driver.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { settle } from "../setup.ts";

/** The length of the lease, in milliseconds. */
export const LEASE_MS = 30_000;

/** A pipeline to a store that the test answers by hand. */
export function make(options: Partial<CommitsOptions> = {}) {
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
    onWait: () => {},
    onCommit: ({ now, woken, touched }) => told.push(["commit", now, woken, touched]),
    onGone: (state) => told.push(state),
    onFailure: (error) => told.push(error),
    ...options,
  });
  const results = new Map<string, OperationResult[]>();
  return {
    driver,
    commits,
    clock,
    requests,
    told,
    results,
    push(label: string, position: number | null, action: PendingOperation["action"]) {
      const of: OperationResult[] = [];
      results.set(label, of);
      commits.push({ position, label, action, onResult: (result) => of.push(result) });
    },
    /** Answers the current request. `open` lists the waits without an outcome. */
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

export const write: EffectOrWait = { type: "writeStream", key: "log", value: "1" };
export const receive = (...topics: string[]): EffectOrWait => ({ type: "receive", topics, timeoutMs: null });
export const END = { to: "end", status: "SUCCESS", output: "1", error: null } as const;

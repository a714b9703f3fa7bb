/**
 * Runs that a measurement drives by hand.
 *
 * @module
 */

import type { CommitRequest, Driver, Operation, Transition } from "../../core/driver/driver.ts";
import { USED } from "./call.ts";

/** The lease of a run. */
export const LEASE_MS = 3_600_000;

/** The methods that a run needs. */
export type RunDriver = Pick<Driver, "create" | "commit">;

/** A run. */
export interface Run {
  readonly workflowId: string;
  readonly owner: string;
  readonly epoch: number;
}

/** Creates a workflow and leases it. */
export async function begin(driver: RunDriver, workflowId: string): Promise<Run> {
  const owner = crypto.randomUUID();
  const { epoch } = await driver.create({ workflowId, name: "bench", input: "null", owner, leaseMs: LEASE_MS });
  return { workflowId, owner, epoch };
}

/** Returns the request for a commit of a run. */
export function commitRequest(
  run: Run,
  number: number,
  operations: readonly Operation[],
  transition: Transition | null = null,
) {
  return { ...run, number, leaseMs: LEASE_MS, operations: [...operations], transition };
}

/** A run of the workflow `USED`, which keeps its lease. */
export interface UsedRun {
  /** Commits in the run. Returns the request, which may be repeated. */
  commit(operations: readonly Operation[]): Promise<CommitRequest>;
  /** Makes an operation at the next position of the run. */
  next(make: (position: number) => Operation): Operation;
  /** The children that those operations start, and that have not been taken out of the list. */
  readonly children: string[];
}

/** Begins the run. */
export async function openRun(driver: RunDriver): Promise<UsedRun> {
  const run = await begin(driver, USED);
  const children: string[] = [];
  let [number, position] = [0, 0];
  return {
    commit: async (operations) => {
      const request = commitRequest(run, ++number, operations);
      const { state } = await driver.commit(request);
      if (state !== "held") throw new Error(`The run is ${state}`);
      return request;
    },
    next: (make) => {
      const operation = make(position++);
      if (operation.type === "start") children.push(operation.workflow.workflowId);
      return operation;
    },
    children,
  };
}

/**
 * The terms of the benchmark.
 *
 * - A **system** is what is measured: a state of Parley, DBOS, or bare statements.
 * - A **case** is an operation that some systems do.
 * - In a **round** the systems take turns. Each does some operations of the case, and the round has
 *   one figure for each system: the median of the times, or the operations a second.
 * - A **ratio** divides two figures of one round. Its median and its spread are over the rounds.
 *
 * @module
 */

import type { WorkerProcess } from "./setup/worker_process.ts";
import type { Kind } from "./worker/kind.ts";

/** The groups of cases. */
export type Group = "operations" | "processes" | "throughput" | "upstash" | "pglite" | "footprint" | "growth";

/** A system at one distance from its database. */
export interface Site {
  /** The name in the results: `parley`, `before`, `dbos`, `bare`, `realtime`. */
  readonly system: string;
  readonly kind: Kind;
  /** The milliseconds that each round trip to the database has on top. */
  readonly distanceMs: number;
  /** How many items its store has, if that is measured. */
  readonly items?: number;
  /** Its processes, from 0. A process starts when it is first asked for. */
  process(number: number): Promise<WorkerProcess>;
  /** Starts another process, which the caller has to end. */
  fresh(): Promise<WorkerProcess>;
  /** Ends the processes. */
  restart(): Promise<void>;
}

/** What a system did in one round. */
export interface Sample {
  /** The figure of the round, in the unit of the case. */
  readonly figure: number;
  /** How many operations it is from. */
  readonly operations: number;
  /** The statements that an operation sent, if they were counted. */
  readonly requests?: number;
  /** The commands that Upstash bills for an operation, if they were counted. */
  readonly commands?: number;
  /** The blocks of tables and indexes that an operation read, if they were counted. */
  readonly blocks?: number;
}

/** How much a round does. */
export interface Size {
  /** How many operations, if it would be `count` at no distance. */
  count(count: number, distanceMs: number): number;
  /** How long a loop runs, in milliseconds. */
  readonly loopMs: number;
  /** How many items a large case has, if it would be `count` at no distance. */
  large(count: number, distanceMs: number): number;
  /** How many workflows wait while their memory is measured. */
  readonly waits: number;
  /** How long those waits have to come to rest, in milliseconds. */
  readonly restMs: number;
  /** The most processes that one system has. */
  readonly maxProcesses: number;
}

/** One thing to measure. */
export interface BenchCase {
  /** Its name on the command line and in the results. */
  readonly name: string;
  /** The group to which it belongs, which has a section on the page. */
  readonly group: Group;
  /** Its name for readers. */
  readonly title: string;
  /** Milliseconds an operation, operations a second, or bytes of a workflow. */
  readonly unit: "ms" | "per second" | "bytes";
  readonly kinds: readonly Kind[];
  /** The case of bare statements to which this one is compared. */
  readonly bare?: string;
  /** Whether it takes so long that fewer rounds must do, without one to warm up. */
  readonly isLong?: boolean;
  /** Whether it is measured without distance only. */
  readonly isNear?: boolean;
  /** Does the operations of one round. */
  run(site: Site, size: Size): Promise<Sample>;
}

/** The sizes for measurements. At a distance there are fewer operations, because DBOS needs seconds for some. */
export const FULL_SIZE: Size = {
  count: (count, distanceMs) => Math.max(6, Math.ceil(count / (1 + distanceMs))),
  loopMs: 1_500,
  large: (count, distanceMs) => distanceMs === 0 ? count : Math.min(count, 200),
  waits: 1_000,
  restMs: 3_000,
  maxProcesses: Infinity,
};

/** The sizes that only show that everything runs. */
export const SMOKE_SIZE: Size = { count: () => 2, loopMs: 50, large: () => 20, waits: 5, restMs: 50, maxProcesses: 2 };

/** The value in the middle of a list, or of the two there. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error("There is no median of no values");
  return (low + high) / 2;
}

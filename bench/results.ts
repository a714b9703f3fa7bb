/**
 * The results of a run as JSON, and the ratios in them.
 *
 * @module
 */

import { type Group, median } from "./case.ts";

/** The version of this format. */
export const RESULTS_FORMAT = 1;

/** A file of results. */
export interface Results {
  readonly format: typeof RESULTS_FORMAT;
  /** The day of the run, as `YYYY-MM-DD`. */
  readonly date: string;
  /** What readers have to know about the run. */
  readonly note?: string;
  /** What was measured, by name: the revision of a state of Parley, or the version of a package or server. */
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  /** The options of the run. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly measurements: readonly Measurement[];
}

/** The machine of a run. */
export interface Machine {
  readonly cores: number;
  readonly memoryGiB: number;
  readonly processor: string;
  readonly os: string;
}

/** A system's figures in one case at one distance. */
export interface Measurement {
  readonly case: string;
  readonly group: Group;
  /** The case for readers. */
  readonly title: string;
  /** What the figures count. Of milliseconds and bytes less is better. */
  readonly unit: Unit;
  readonly system: string;
  /** How many items the system's store has, if the case measures that. */
  readonly items?: number;
  /** The milliseconds that each round trip to the store has on top. */
  readonly distanceMs: number;
  /** The case of bare requests to which this one is compared. */
  readonly bare?: string;
  /**
   * The figure of each round, or `null` if the system failed in it. Figures with the same index are
   * of the same round.
   */
  readonly rounds: readonly (number | null)[];
  /** How many operations all rounds have together. */
  readonly operations: number;
  /** The statements or requests an operation, as the median of the rounds. */
  readonly requests?: number;
  /** The commands that Upstash bills for an operation, as the median of the rounds. */
  readonly commands?: number;
  /** The 8 KiB blocks of tables and indexes that an operation reads, as the median of the rounds. */
  readonly blocks?: number;
}

/** The units of figures. */
export type Unit = "ms" | "per second" | "bytes";

/** Two systems, or two cases, divided round by round. */
export interface Ratio {
  readonly median: number;
  /** The smallest and the largest ratio of a round. */
  readonly low: number;
  readonly high: number;
}

/** Divides figures round by round. Returns `undefined` if there is no round that has both. */
export function ratio(above: Measurement, below: Measurement): Ratio | undefined {
  const ratios = above.rounds.flatMap((figure, round) => {
    const divisor = below.rounds[round];
    return figure === null || divisor === null || divisor === undefined ? [] : [figure / divisor];
  });
  if (ratios.length === 0) return undefined;
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

/** How many times better one system is than another: above 1 it is ahead, whatever the unit. */
export function lead(ahead: Measurement, behind: Measurement): Ratio | undefined {
  return ahead.unit === "per second" ? ratio(ahead, behind) : ratio(behind, ahead);
}

/** Finds the measurement of a system. */
export function find(
  measurements: readonly Measurement[],
  name: string,
  system: string,
  distanceMs: number,
): Measurement | undefined {
  return measurements.find((it) => it.case === name && it.system === system && it.distanceMs === distanceMs);
}

/** A ratio for readers: `1.90 (1.72-2.05)`. */
export function showRatio({ median, low, high }: Ratio): string {
  const show = (number: number) =>
    number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
  return `${show(median)} (${show(low)}-${show(high)})`;
}

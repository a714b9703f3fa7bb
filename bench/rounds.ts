/**
 * The rounds of a run.
 *
 * @module
 */

import { type BenchCase, median, type Sample, type Site, type Size } from "./case.ts";
import type { BenchOptions } from "./options.ts";
import type { Measurement } from "./results.ts";
import { type BenchSystem, openSite } from "./setup/systems.ts";

/** The rounds of cases that take long. */
const LONG_ROUNDS = 3;

/** Measures the cases at a distance. */
export async function measureAt(
  distanceMs: number,
  cases: readonly BenchCase[],
  systems: readonly BenchSystem[],
  options: BenchOptions,
  size: Size,
): Promise<Measurement[]> {
  await using stack = new AsyncDisposableStack();
  const here = cases.filter(({ isNear }) => !isNear || distanceMs === 0);
  const sites: Site[] = [];
  for (const system of systems) {
    if (here.some(({ kinds }) => kinds.includes(system.kind))) sites.push(await openSite(system, distanceMs, stack));
  }
  const samples = new Map<string, (Sample | null)[]>();
  for (const [turn, { round, chosen }] of roundsOf(here, options).entries()) {
    for (const one of chosen) {
      const begin = performance.now();
      const able = sites.filter(({ kind }) => one.kinds.includes(kind));
      for (let index = 0; index < able.length; index++) {
        const site = able[(index + turn) % able.length]!;
        const sample = await tryOnce(one, site, size, options);
        const key = keyOf(one, site);
        if (round >= 0) samples.set(key, [...samples.get(key) ?? [], sample]);
      }
      const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
      console.error(`+${distanceMs} ms, round ${round + 1} of ${options.rounds}: ${one.name}, ${seconds} s`);
    }
  }
  return here.flatMap((one) =>
    sites.filter(({ kind }) => one.kinds.includes(kind)).flatMap((site) =>
      toMeasurement(one, site, samples.get(keyOf(one, site)) ?? [])
    )
  );
}

/**
 * Does a round of a case. A system that fails starts again, so that the run goes on without this
 * round of it. In a smoke run nothing may fail.
 */
async function tryOnce(one: BenchCase, site: Site, size: Size, { smoke }: BenchOptions): Promise<Sample | null> {
  try {
    return await one.run(site, size);
  } catch (error) {
    if (smoke) throw new Error(`${one.name} of ${site.system} failed`, { cause: error });
    console.error(`${one.name} of ${site.system} at ${site.distanceMs} ms failed:`, error);
    await site.restart();
    return null;
  }
}

function keyOf(one: BenchCase, { system, items }: Site): string {
  return `${one.name} ${system} ${items ?? ""}`;
}

/** The rounds, the first of them to warm up. Cases that take long have fewer, and do not warm up. */
function roundsOf(cases: readonly BenchCase[], { rounds, smoke }: BenchOptions) {
  const quick = cases.filter(({ isLong }) => !isLong);
  const numbered = Array.from({ length: rounds }, (_, round) => ({
    round,
    chosen: round < LONG_ROUNDS ? cases : quick,
  }));
  return smoke ? numbered : [{ round: -1, chosen: quick }, ...numbered];
}

function toMeasurement(one: BenchCase, site: Site, tries: readonly (Sample | null)[]): Measurement[] {
  const samples = tries.filter((it) => it !== null);
  if (tries.length === 0) return [];
  const counts = (["requests", "commands", "blocks"] as const).flatMap((name) => {
    const counted = samples.flatMap((sample) => sample[name] ?? []);
    return counted.length === 0 ? [] : [[name, median(counted)]];
  });
  return [{
    case: one.name,
    group: one.group,
    title: one.title,
    unit: one.unit,
    system: site.system,
    ...site.items !== undefined && { items: site.items },
    distanceMs: site.distanceMs,
    ...one.bare !== undefined && { bare: one.bare },
    rounds: tries.map((sample) => sample?.figure ?? null),
    operations: samples.reduce((sum, { operations }) => sum + operations, 0),
    ...Object.fromEntries(counts),
  }];
}

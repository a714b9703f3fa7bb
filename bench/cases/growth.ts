/**
 * How calls of the drivers grow with their stores.
 *
 * @module
 */

import { type BenchCase, median, type Sample, type Site, type Size } from "../case.ts";
import type { ScaleAnswer } from "../scale/main.ts";
import { CALLS as POSTGRES_CALLS } from "../scale/postgres/calls.ts";
import { CALLS as UPSTASH_CALLS } from "../scale/upstash/calls.ts";
import type { Kind } from "../worker/kind.ts";

/** How often a round makes a call. */
const COUNT = 10;

/** A store of a million items takes minutes. */
const FILL_PATIENCE_MS = 3_600_000;

/** The stores that have been filled. */
const filled = new WeakMap<Site, Promise<unknown>>();

async function fillStore(site: Site): Promise<void> {
  const worker = await site.process(0);
  await worker.call("fill", { count: site.items! }, FILL_PATIENCE_MS);
}

async function measureCall(site: Site, size: Size, program: string): Promise<Sample> {
  if (!filled.has(site)) filled.set(site, fillStore(site));
  await filled.get(site);
  const count = size.count(COUNT, site.distanceMs);
  const { value: { times, blocks } } = await (await site.process(0)).call<ScaleAnswer>("call", { program, count });
  return { figure: median(times), operations: count, ...blocks !== undefined && { blocks } };
}

function growthCase(kind: Kind, store: string, name: string): BenchCase {
  return {
    name: `growth-${store}-${name}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"),
    group: "growth",
    title: `${name}, ${store}`,
    unit: "ms",
    kinds: [kind],
    isNear: true,
    run: (site, size) => measureCall(site, size, name),
  };
}

/** Each call of the drivers, in stores of several sizes. */
export const GROWTH: readonly BenchCase[] = [
  ...[...POSTGRES_CALLS.keys()].map((name) => growthCase("filled", "Postgres", name)),
  ...[...UPSTASH_CALLS.keys()].map((name) => growthCase("filledUpstash", "Upstash", name)),
];

/**
 * What each kind of system needs.
 *
 * @module
 */

import type { BenchOptions } from "../options.ts";
import type { Kind } from "../worker/kind.ts";
import { DBOS_VERSION, lockedVersion, REALTIME_VERSION } from "./folder.ts";
import type { Stores } from "./stores.ts";

/** What a kind needs, and how the results name it. */
interface KindNeeds {
  /** Its name in the results. */
  readonly system: "parley" | "dbos" | "bare" | "realtime";
  /** The server that it uses. A kind without one has its store in its own process, or none. */
  readonly store?: keyof Stores;
  /** The packages that it needs in Node, besides node-postgres. */
  readonly packages?: readonly string[];
  /** Whether this repository does not have those packages, so that the kind runs in Node alone. */
  readonly isForeign?: boolean;
  /** The versions of other software in it, for the results. */
  readonly software?: Readonly<Record<string, string>>;
  /** Its program, which runs in Deno. Without one, the worker runs it. */
  readonly program?: string;
  /** Whether there is a system for each size of a store. */
  readonly isSized?: boolean;
  /** Whether another revision of Parley can be measured too. */
  readonly isCompared?: boolean;
}

const SCALE = { system: "parley", program: "bench/scale/main.ts", isSized: true } as const;
const WORKERD = {
  program: "bench/workerd/main.ts",
  software: { "workerd in Miniflare": lockedVersion("miniflare") },
} as const;
const PGLITE_VERSION = lockedVersion("@electric-sql/pglite");
const PGLITE = { packages: [`@electric-sql/pglite@${PGLITE_VERSION}`], software: { PGlite: PGLITE_VERSION } } as const;

/** The kinds of systems. */
export const KINDS: Readonly<Record<Kind, KindNeeds>> = {
  parley: { system: "parley", store: "postgres", isCompared: true },
  dbos: { system: "dbos", store: "postgres", packages: [`@dbos-inc/dbos-sdk@${DBOS_VERSION}`], isForeign: true },
  bare: { system: "bare", store: "postgres" },
  upstash: { system: "parley", store: "upstash", isCompared: true },
  bareUpstash: { system: "bare", store: "upstash" },
  realtime: {
    system: "realtime",
    store: "upstash",
    packages: [`@upstash/realtime@${REALTIME_VERSION}`, "@upstash/redis@1", "zod@4"],
    isForeign: true,
  },
  pglite: { system: "parley", ...PGLITE },
  barePglite: { system: "bare", ...PGLITE },
  filled: { ...SCALE, store: "postgres" },
  filledUpstash: { ...SCALE, store: "redis" },
  workerd: { system: "parley", store: "upstash", ...WORKERD },
  bareWorkerd: { system: "bare", ...WORKERD },
};

/** The kinds of systems that a run has, of those that its cases need. */
export function kindsOf({ without, runtime }: BenchOptions, needed: readonly Kind[]): Kind[] {
  return [...new Set(needed)].filter((kind) => {
    const { system, isForeign } = KINDS[kind];
    return !without.includes(system) && !(runtime === "deno" && isForeign);
  });
}

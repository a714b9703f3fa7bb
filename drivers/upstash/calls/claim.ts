/**
 * `Driver.claim`. A script may touch only keys that its request declares, so a claim by due time
 * first looks which workflows are due, then takes them.
 *
 * @module
 */

import type { Claimed, ClaimRequest, ClaimResult } from "../../../core/driver/driver.ts";
import { type ScriptCalls, type StoredPage, toJournal } from "../script_calls.ts";

/** How often a claim by due time looks, if other claims take the workflows that it finds. */
const MAX_LOOKS = 10;

export async function claim(calls: ScriptCalls, request: ClaimRequest): Promise<ClaimResult> {
  const { workflowIds, names, owner, except, leaseMs, limit } = request;
  if (workflowIds !== null) {
    const ids = workflowIds.filter((id) => !except.includes(id));
    return { ...await take(calls, request, ids), unknown: [] };
  }
  let isFresh = false;
  for (let looks = 1;; looks++) {
    // Other claims that look at the same moment take some workflows, so each look finds more.
    const spare = looks === 1 || limit <= 0 ? 0 : Math.min(8 * 2 ** (looks - 2), 32);
    const look = { names, owner, except, leaseMs, limit: Math.max(0, limit) + spare, isFresh };
    const seen = await calls.call<Seen>("peek", [calls.keys.claim(owner)], look);
    const { taken = [], ids = [], suspects = [], unknown = [], now, nextDueMs = null } = seen;
    const isRepeat = taken.length > 0;
    const found = isRepeat ? taken.filter((id) => id !== "") : [...ids, ...suspects];
    const { claimed, more } = await take(calls, request, found, isRepeat);
    if (isRepeat && claimed.length === 0) {
      // The first call's runs have let go of their workflows.
      isFresh = true;
    } else if (isRepeat || claimed.length >= limit) {
      return { claimed, unknown: [], nextDueMs: null, now, more: more || taken.includes("") };
    } else if (claimed.length > 0 || ids.length === 0 || looks === MAX_LOOKS) {
      return { claimed, unknown, nextDueMs, now, more };
    }
  }
}

/** The answer to a look. The repeat of a claim gets `taken` and `now` alone. */
interface Seen {
  /** What the first call took. An empty ID says that it left others. */
  readonly taken?: readonly string[];
  /** The workflows that the claim may take. */
  readonly ids?: readonly string[];
  /** Workflows whose leases end later than one that began now, because the clock may have gone back. */
  readonly suspects?: readonly string[];
  readonly unknown?: string[];
  readonly now: number;
  readonly nextDueMs?: number | null;
}

type Taken = Pick<ClaimResult, "claimed" | "more" | "nextDueMs" | "now">;

/** Takes workflows. `isRepeat` is left out for a claim by ID. */
async function take(
  { call, keys }: ScriptCalls,
  { names, leaseMs, owner, limit }: ClaimRequest,
  ids: readonly string[],
  isRepeat?: boolean,
): Promise<Taken> {
  const workflowIds = [...new Set(ids)];
  if (workflowIds.length === 0) return { claimed: [], more: false, nextDueMs: null, now: null };
  const byDue = isRepeat !== undefined;
  const own = workflowIds.flatMap((id) => keys.of(id));
  const { claimed, ...rest } = await call<ClaimAnswer>(
    "claim",
    byDue ? [...own, keys.claim(owner)] : own,
    { workflowIds, names, limit: Math.max(0, limit), leaseMs, owner, byDue, isRepeat },
  );
  return { ...rest, claimed: claimed.map((one) => ({ ...one, journal: toJournal(one.journal) })) };
}

type ClaimAnswer = Omit<Taken, "claimed"> & { claimed: (Omit<Claimed, "journal"> & { journal: StoredPage })[] };

/**
 * `Driver.claim`.
 *
 * @module
 */

import type { Claimed, ClaimRequest, ClaimResult } from "../../../core/driver/driver.ts";
import { type StoredPage, toJournal } from "../answer.ts";
import type { ScriptCalls } from "../script_calls.ts";

/** How often a claim by due time looks, if other claims take the workflows that it finds. */
const MAX_LOOKS = 10;

/**
 * `Driver.claim`. A script may touch only keys that its request declares, so a claim by due time
 * first looks which workflows are due, then takes them.
 */
export async function claim(calls: ScriptCalls, request: ClaimRequest): Promise<ClaimResult> {
  const { workflowIds, limit, except } = request;
  if (workflowIds !== null) {
    const ids = workflowIds.filter((id) => !except.includes(id));
    return { ...await take(calls, request, ids), unknown: [] };
  }
  let isFresh = false;
  for (let looks = 1;; looks++) {
    const seen = await peek(calls, request, isFresh, looks);
    const { claimed, more } = await take(calls, request, [...seen.ids, ...seen.suspects], seen);
    if (seen.isRepeat && claimed.length === 0) {
      // The first call's runs have let go of their workflows.
      isFresh = true;
    } else if (seen.isRepeat || claimed.length >= limit) {
      return { claimed, unknown: [], nextDueMs: null, more: more || seen.hasLeft };
    } else if (claimed.length > 0 || seen.ids.length === 0 || looks === MAX_LOOKS) {
      return { claimed, unknown: seen.unknown, nextDueMs: seen.nextDueMs, more };
    }
  }
}

/** The answer to a look. */
interface Seen {
  /** The workflows that the claim may take. */
  readonly ids: readonly string[];
  /** Workflows whose leases end later than one that began now, because the clock may have gone back. */
  readonly suspects: readonly string[];
  /** This is a repeat, and the first call took these. */
  readonly isRepeat: boolean;
  /** The first call left others. */
  readonly hasLeft: boolean;
  readonly unknown: string[];
  readonly nextDueMs: number | null;
}

async function peek(calls: ScriptCalls, claim: ClaimRequest, isFresh: boolean, looks: number): Promise<Seen> {
  const { keys } = calls;
  const { names, owner, except, leaseMs } = claim;
  // Other claims that look at the same moment take some of these, so each look finds more than the
  // last.
  const limit = claim.limit > 0 ? claim.limit + spareOf(looks) : 0;
  const document = { names, owner, except, leaseMs, limit, isFresh };
  return await calls.call("peek", [...keys.shared, keys.claim(owner)], document);
}

/** How many more workflows a look finds than are wanted. */
function spareOf(looks: number): number {
  return looks === 1 ? 0 : Math.min(8 * 2 ** (looks - 2), 32);
}

type Taken = Pick<ClaimResult, "claimed" | "more" | "nextDueMs">;

async function take(calls: ScriptCalls, claim: ClaimRequest, ids: readonly string[], seen?: Seen): Promise<Taken> {
  const { keys } = calls;
  const { names, leaseMs, owner } = claim;
  const workflowIds = [...new Set(ids)];
  if (workflowIds.length === 0) return { claimed: [], more: false, nextDueMs: null };
  const own = workflowIds.flatMap((id) => keys.of(id, "open", "journal"));
  const { claimed, more, nextDueMs } = await calls.call<ClaimAnswer>(
    "claim",
    [...keys.shared, ...own, ...seen ? [keys.claim(owner)] : []],
    { workflowIds, names, limit: Math.max(0, claim.limit), leaseMs, owner, byDue: !!seen, isRepeat: seen?.isRepeat },
  );
  return { claimed: claimed.map((one) => ({ ...one, journal: toJournal(one.journal) })), more, nextDueMs };
}

type ClaimAnswer = Omit<Taken, "claimed"> & { claimed: (Omit<Claimed, "journal"> & { journal: StoredPage })[] };

/**
 * `Driver.claim`.
 *
 * @module
 */

import type { ClaimRequest, ClaimResult } from "../../../core/driver/driver.ts";
import { type Answer, type JournalPart, list, type RecordPart, toJournal, toRecord } from "../answer.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { ScriptRequest } from "../script_request.ts";

/** How often a claim by due time looks again, because others took what it had found. */
const MAX_LOOKS = 10;

/** `Driver.claim`. What is due is not known before, and a script may touch only keys that were declared: so it is looked for first, then taken. */
export async function claim(calls: ScriptCalls, request: ClaimRequest): Promise<ClaimResult> {
  const { workflowIds, limit, except } = request;
  if (workflowIds !== null) {
    const ids = workflowIds.filter((id) => !except.includes(id));
    return { ...await take(calls, request, ids), unknown: [] };
  }
  let isAnew = false;
  for (let looks = 1;; looks++) {
    const seen = await peek(calls, request, isAnew, looks);
    const { claimed, more } = await take(calls, request, [...seen.ids, ...seen.suspects], seen);
    if (seen.isRepeat && claimed.length === 0) {
      // What the first call took has been let go since.
      isAnew = true;
    } else if (seen.isRepeat || claimed.length >= limit) {
      return { claimed, unknown: [], nextDueMs: null, more: more || seen.hasLeft };
    } else if (claimed.length > 0 || seen.ids.length === 0 || looks === MAX_LOOKS) {
      return { claimed, unknown: seen.unknown, nextDueMs: seen.nextDueMs, more };
    }
  }
}

/** What a claim may take. */
interface Seen {
  readonly ids: readonly string[];
  /** Those whose leases end later than one that began now: the clock may have gone back. */
  readonly suspects: readonly string[];
  /** The first call took these. */
  readonly isRepeat: boolean;
  /** And has left others. */
  readonly hasLeft: boolean;
  readonly unknown: string[];
  readonly nextDueMs: number | null;
}

async function peek(calls: ScriptCalls, claim: ClaimRequest, isAnew: boolean, looks: number): Promise<Seen> {
  const { names, owner, except, leaseMs } = claim;
  // Others who look at the same moment take some of what this finds, so each look finds more than the last.
  const limit = claim.limit > 0 ? claim.limit + spareOf(looks) : 0;
  const request = new ScriptRequest(calls.keys);
  request.shareSchedule();
  const document = {
    names,
    except,
    limit,
    leaseMs,
    isAnew: isAnew || undefined,
    claim: request.key(calls.keys.claim(owner)),
  };
  const { meta } = await calls.call<PeekMeta>("peek", request, document);
  const ids = list<string>(meta.taken ?? meta.due);
  return {
    ids: ids.filter((id) => id !== ""),
    suspects: list<string>(meta.suspects),
    isRepeat: meta.taken !== undefined,
    hasLeft: ids.includes(""),
    unknown: [...list<string>(meta.unknown)],
    nextDueMs: meta.nextDueMs ?? null,
  };
}

interface PeekMeta {
  readonly taken?: object;
  readonly due?: object;
  readonly suspects?: object;
  readonly unknown?: object;
  readonly nextDueMs?: number;
}

/** How many workflows more than are wanted a look finds. */
function spareOf(looks: number): number {
  return looks === 1 ? 0 : Math.min(8 * 2 ** (looks - 2), 32);
}

type Taken = Pick<ClaimResult, "claimed" | "more" | "nextDueMs">;

async function take(calls: ScriptCalls, claim: ClaimRequest, ids: readonly string[], seen?: Seen): Promise<Taken> {
  const { names, limit, leaseMs, owner } = claim;
  if (ids.length === 0) return { claimed: [], more: false, nextDueMs: null };
  const request = new ScriptRequest(calls.keys);
  request.shareSchedule();
  request.shareIndexes("ENQUEUED", "PENDING");
  for (const id of ids) request.workflow(id, "open", "journal");
  const document = {
    ...{ names, limit: Math.max(0, limit), leaseMs, owner, isRepeat: seen?.isRepeat || undefined },
    claim: seen && request.key(calls.keys.claim(owner)),
  };
  const answer = await calls.call<{ claimed: object; more: boolean; now: number; nextDueMs?: number }>(
    "claim",
    request,
    document,
  );
  const { claimed, more, now, nextDueMs = null } = answer.meta;
  return { claimed: list<ClaimedPart>(claimed).map((part) => toClaimed(answer, part, now)), more, nextDueMs };
}

function toClaimed(
  answer: Answer<unknown>,
  { workflow, epoch, journal, open }: ClaimedPart,
  now: number,
): ClaimResult["claimed"][number] {
  const entries = list<[number, string, number, number?]>(open).map(([position, label, attempts, left]) => {
    return { position, label, attempts, remainingMs: left ?? null };
  });
  return { workflow: toRecord(answer, workflow), epoch, now, journal: toJournal(answer, journal), open: entries };
}

interface ClaimedPart {
  readonly workflow: RecordPart;
  readonly epoch: number;
  readonly journal: JournalPart;
  readonly open: object;
}

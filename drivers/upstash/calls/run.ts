/**
 * What a run does: it claims, and it commits.
 *
 * @module
 */

import type { Claimed, ClaimRequest, ClaimResult, CommitRequest, CommitResult, OperationResult, OutcomeTag } from "../../../core/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { type Answer, type JournalPart, parseEntry, type RecordPart, toJournal, toOutcome, toRecord } from "../answer.ts";
import { Call } from "../call.ts";
import type { Attempt, Client } from "../client.ts";
import { type ExtentNews, list } from "../extents.ts";
import { commitCall } from "./commit.ts";
import { declareIndex, declareSchedule, withExtent } from "./parts.ts";
import { finishPurge } from "./purge.ts";

/** `Driver.commit`. */
export async function commit(client: Client, request: CommitRequest): Promise<CommitResult> {
  const build = ({ oldest }: Attempt) => commitCall(client, request, oldest);
  const answer = await client.call<CommitMeta>("commit", build, (ids) => finishPurge(client, ids));
  const { meta } = answer;
  if (!("results" in meta)) return { state: meta.state };
  const results = request.operations.map((operation, index): OperationResult => {
    const result = list<ResultPart>(meta.results)[index];
    if (result?.given && operation.type === "record") return { outcome: { ...operation.outcome } };
    return toResult(answer, result, operation.position);
  });
  return { state: meta.state, results, woken: [...list<string>(meta.woken)], now: meta.now };
}

type CommitMeta = { state: "lost" | "cancelled" } | { state: "held" | "released"; results: object; woken: object; now: number };

/** What came of an operation: one of these. */
interface ResultPart {
  /** It recorded the outcome that it was given. */
  readonly given?: true;
  readonly tag?: OutcomeTag;
  readonly value?: number;
  readonly topic?: string;
  /** A complete entry, which was there before. */
  readonly entry?: number;
  /** It is open, and has so many milliseconds left; -1: without a deadline. */
  readonly left?: number;
  /** A repeat has an operation that the first call had not. */
  readonly unknown?: number;
}

function toResult(answer: Answer<unknown>, result: ResultPart | undefined, position: number | null): OperationResult {
  if (result?.tag) return { outcome: toOutcome(result.tag, answer.optional(result.value) ?? undefined, result.topic) };
  if (result?.entry !== undefined) return { outcome: parseEntry(answer.value(result.entry)).outcome };
  if (result?.left !== undefined) return { remainingMs: result.left < 0 ? null : result.left };
  throw new DriverError(`Committing position ${position}: the number of this commit was used before, without this operation`, {
    retryable: false,
  });
}

/** How often a claim by due time looks again, because others took what it had found. */
const MOST_LOOKS = 10;

/** `Driver.claim`. What is due is not known before, and a script may touch only keys that were declared: so it is looked for first, then taken. */
export async function claim(client: Client, request: ClaimRequest): Promise<ClaimResult> {
  const { workflowIds, limit } = request;
  if (workflowIds !== null) return { claimed: await take(client, request, workflowIds), unknown: [], nextDueMs: null, more: false };
  let isAnew = false;
  for (let looks = 1;; looks++) {
    const seen = await peek(client, request, isAnew);
    const claimed = await take(client, request, seen.ids, seen);
    if (seen.ids.length > 0) client.rivals.met(claimed.length === 0);
    if (seen.isRepeat && claimed.length === 0) {
      // What the first call took has been let go since.
      isAnew = true;
    } else if (seen.isRepeat || claimed.length >= limit) {
      return { claimed, unknown: [], nextDueMs: null, more: false };
    } else if (claimed.length > 0 || seen.ids.length === 0 || looks === MOST_LOOKS) {
      return { claimed, unknown: seen.unknown, nextDueMs: seen.nextDueMs, more: false };
    }
  }
}

/** What a claim may take. */
interface Seen {
  readonly ids: readonly string[];
  /** The first call took these. */
  readonly isRepeat: boolean;
  readonly unknown: string[];
  readonly nextDueMs: number | null;
}

async function peek(client: Client, request: ClaimRequest, isAnew: boolean): Promise<Seen> {
  const { names, owner } = request;
  // Of several who look at the same moment, each takes what the others leave: so it needs more to choose from.
  const limit = request.limit > 0 ? request.limit + client.rivals.spare : 0;
  const build = () => {
    const call = new Call(client.keys);
    declareSchedule(call);
    call.key(client.keys.claim(owner));
    return call.arguments({ channel: client.keys.channel, names, limit, isAnew: isAnew || undefined });
  };
  const { meta } = await client.call<{ taken?: object; due?: object; unknown?: object; nextDueMs?: number }>("peek", build);
  return {
    ids: list<string>(meta.taken ?? meta.due),
    isRepeat: meta.taken !== undefined,
    unknown: [...list<string>(meta.unknown)],
    nextDueMs: meta.nextDueMs ?? null,
  };
}

/** How many segments of a journal its first page may need: 1,000 entries. */
const FIRST_SEGMENTS = 16;

async function take(client: Client, request: ClaimRequest, ids: readonly string[], seen?: Seen): Promise<Claimed[]> {
  const { names, limit, leaseMs, owner } = request;
  const { keys } = client;
  if (ids.length === 0) return [];
  const build = () => {
    const call = new Call(keys);
    declareSchedule(call);
    for (const id of ids) call.workflow(id);
    return call.arguments({
      ...{ channel: keys.channel, names, limit: Math.max(0, limit), leaseMs, owner, isRepeat: seen?.isRepeat || undefined },
      claim: seen && call.key(keys.claim(owner)),
      ...declareIndex(call, ["ENQUEUED", "PENDING"]),
      workflows: call.workflows.map((part) => ({
        ...withExtent(call, part),
        open: call.key(keys.open(part.id)),
        journal: call.segments(0, FIRST_SEGMENTS - 1, (segment) => keys.journal(part.id, segment)),
      })),
    });
  };
  const answer = await client.call<{ claimed: object; now: number }>("claim", build);
  return list<ClaimedPart>(answer.meta.claimed).map(({ workflow, epoch, journal, open, extent }) => {
    client.extents.learn([extent]);
    const entries = list<[number, string]>(open).map(([position, label]) => ({ position, label, attempts: 0, remainingMs: null }));
    return { workflow: toRecord(answer, workflow), epoch, now: answer.meta.now, journal: toJournal(answer, journal), open: entries };
  });
}

interface ClaimedPart {
  readonly workflow: RecordPart;
  readonly epoch: number;
  readonly journal: JournalPart;
  readonly open: object;
  readonly extent: ExtentNews;
}

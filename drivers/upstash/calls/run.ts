/**
 * What a run does: it claims, and it commits.
 *
 * @module
 */

import type { ClaimRequest, ClaimResult, CommitRequest, CommitResult, OperationResult, OutcomeTag } from "../../../core/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { type Answer, type JournalPart, parseEntry, type RecordPart, toJournal, toOutcome, toRecord } from "../answer.ts";
import { Call } from "../call.ts";
import type { Attempt, Client } from "../client.ts";
import { type ExtentNews, list } from "../extents.ts";
import { commitCall } from "./commit.ts";
import { declareIndex, declareSchedule, withExtent } from "./parts.ts";
import { expire, finishPurge } from "./purge.ts";

/** `Driver.commit`. */
export async function commit(client: Client, request: CommitRequest): Promise<CommitResult> {
  const build = ({ oldest }: Attempt) => commitCall(client, request, oldest);
  const answer = await client.call<CommitMeta>("commit", build, (ids) => finishPurge(client, ids));
  const { meta } = answer;
  if (!("results" in meta)) return { state: meta.state };
  await expire(client, meta.expiring);
  const results = request.operations.map((operation, index): OperationResult => {
    const result = list<ResultPart>(meta.results)[index];
    if (result?.given && operation.type === "record") return { outcome: { ...operation.outcome } };
    return toResult(answer, result, operation.position);
  });
  return { state: meta.state, results, woken: [...list<string>(meta.woken)], now: meta.now };
}

type CommitMeta = { state: "lost" | "cancelled" } | {
  state: "held" | "released";
  results: object;
  woken: object;
  now: number;
  expiring: object;
};

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
  /** The answer has grown too large: it did nothing. */
  readonly deferred?: true;
  /** A repeat has an operation that the first call had not. */
  readonly unknown?: number;
}

function toResult(answer: Answer<unknown>, result: ResultPart | undefined, position: number | null): OperationResult {
  if (result?.tag) return { outcome: toOutcome(result.tag, answer.optional(result.value) ?? undefined, result.topic) };
  if (result?.entry !== undefined) return { outcome: parseEntry(answer.value(result.entry)).outcome };
  if (result?.deferred) return { deferred: true };
  if (result?.left !== undefined) return { remainingMs: result.left < 0 ? null : result.left };
  throw new DriverError(`Committing position ${position}: the number of this commit was used before, without this operation`, {
    retryable: false,
  });
}

/** How often a claim by due time looks again, because others took what it had found. */
const MOST_LOOKS = 10;

/** `Driver.claim`. What is due is not known before, and a script may touch only keys that were declared: so it is looked for first, then taken. */
export async function claim(client: Client, request: ClaimRequest): Promise<ClaimResult> {
  const { workflowIds, limit, except } = request;
  if (workflowIds !== null) {
    const ids = workflowIds.filter((id) => !except.includes(id));
    return { ...await take(client, request, ids), unknown: [] };
  }
  let isAnew = false;
  for (let looks = 1;; looks++) {
    const seen = await peek(client, request, isAnew);
    const { claimed, more } = await take(client, request, [...seen.ids, ...seen.suspects], seen);
    if (seen.ids.length > 0) client.rivals.met(claimed.length === 0);
    if (seen.isRepeat && claimed.length === 0) {
      // What the first call took has been let go since.
      isAnew = true;
    } else if (seen.isRepeat || claimed.length >= limit) {
      return { claimed, unknown: [], nextDueMs: null, more: more || seen.hasLeft };
    } else if (claimed.length > 0 || seen.ids.length === 0 || looks === MOST_LOOKS) {
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

async function peek(client: Client, request: ClaimRequest, isAnew: boolean): Promise<Seen> {
  const { names, owner, except, leaseMs } = request;
  // Of several who look at the same moment, each takes what the others leave: so it needs more to choose from.
  const limit = request.limit > 0 ? request.limit + client.rivals.spare : 0;
  const build = () => {
    const call = new Call(client.keys);
    declareSchedule(call);
    call.key(client.keys.claim(owner));
    return call.arguments({ channel: client.keys.channel, names, except, limit, leaseMs, isAnew: isAnew || undefined });
  };
  const { meta } = await client.call<PeekMeta>("peek", build);
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

/** How many segments of a journal its first page may need: 1,000 entries. */
const FIRST_SEGMENTS = 16;

async function take(client: Client, request: ClaimRequest, ids: readonly string[], seen?: Seen): Promise<Taken> {
  const { names, limit, leaseMs, owner } = request;
  const { keys } = client;
  if (ids.length === 0) return { claimed: [], more: false, nextDueMs: null };
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
  const answer = await client.call<{ claimed: object; more: boolean; now: number; nextDueMs?: number }>("claim", build);
  const claimed = list<ClaimedPart>(answer.meta.claimed).map(({ workflow, epoch, journal, open, extent }) => {
    client.extents.learn([extent]);
    const entries = list<[number, string, number, number?]>(open).map(([position, label, attempts, left]) => {
      return { position, label, attempts, remainingMs: left ?? null };
    });
    return { workflow: toRecord(answer, workflow), epoch, now: answer.meta.now, journal: toJournal(answer, journal), open: entries };
  });
  return { claimed, more: answer.meta.more, nextDueMs: answer.meta.nextDueMs ?? null };
}

type Taken = Pick<ClaimResult, "claimed" | "more" | "nextDueMs">;

interface ClaimedPart {
  readonly workflow: RecordPart;
  readonly epoch: number;
  readonly journal: JournalPart;
  readonly open: object;
  readonly extent: ExtentNews;
}

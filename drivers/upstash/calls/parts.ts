/**
 * Parts of requests: what scripts need of workflows, and all keys that are a workflow's own.
 *
 * @module
 */

import { STATUSES } from "../../../core/statuses.ts";
import type { Call, KeyRange, SegmentRange, WorkflowPart } from "../call.ts";
import { segmentOf } from "../call.ts";
import type { Extent } from "../extents.ts";
import { type Keys, POSITIONS_SIZE } from "../keys.ts";

/** Declares when workflows are due. Scripts that use it have these as their first keys. */
export function declareSchedule(call: Call): void {
  for (const name of [call.keys.due, call.keys.leased, call.keys.schedule]) call.key(name);
}

/** Where the indexes of statuses are. */
export interface IndexPart {
  readonly index: Record<string, number>;
  readonly named: Record<string, number>;
}

/** Declares the indexes of statuses. */
export function declareIndex(call: Call, statuses: readonly string[]): IndexPart {
  const all = [...STATUSES, "parked" as const].filter((status) => statuses.includes(status));
  return {
    index: Object.fromEntries(all.map((status) => [status, call.key(call.keys.index(status))])),
    named: Object.fromEntries(all.map((status) => [status, call.key(call.keys.named(status))])),
  };
}

/** Every status of what has ended: {@linkcode declareEnd} takes those out of their indexes that have expired. */
export const ENDED: readonly string[] = STATUSES.filter((status) => status !== "ENQUEUED" && status !== "PENDING");

/** Declares where those are that ended, and the indexes that are changed. With a retention, some that expired before are taken out of theirs on the way. */
export function declareEnd(
  call: Call,
  statuses: readonly string[],
  retention: number | undefined,
): IndexPart & { ended: number; expiring: number } {
  return {
    ...declareIndex(call, retention === undefined ? statuses : [...statuses, ...ENDED]),
    ended: call.key(call.keys.ended),
    expiring: call.key(call.keys.expiring),
    ...(retention !== undefined && { retention }),
  };
}

/** Declares the workflow that has started another: its row, and those that it keeps. */
export function declareParent(call: Call, parent: string | undefined): void {
  if (parent !== undefined) call.workflow(parent);
}

/** The part of a workflow that may keep others. */
export function withKept<Part extends WorkflowPart>(call: Call, part: Part): Part & { kept: number } {
  return { ...part, kept: call.key(call.keys.kept(part.id)) };
}

/** A queue of a workflow, with the segments that may be needed. */
export interface QueuePart extends SegmentRange {
  readonly topic: string;
}

/** The inbox of a workflow, with the queues that a call uses. */
export interface InboxPart {
  inbox: number;
  queues: QueuePart[];
}

/** Which segments of a queue a call needs: where it ends, for a message to come; where it begins, for one to be received. */
export type QueueUse = "send" | "receive" | "both";

/** Declares the inbox and queues of a workflow. */
export function declareInbox(call: Call, id: string, extent: Extent, uses: ReadonlyMap<string, QueueUse>): InboxPart {
  const { keys } = call;
  const queues = [...uses].map(([topic, use]) => {
    const { head, tail } = extent.queues.get(topic) ?? { head: 0, tail: 0 };
    return { topic, ...call.segments(use === "send" ? tail : head, tail, (segment) => keys.queue(id, topic, segment)) };
  });
  return { inbox: call.key(keys.inbox(id)), queues };
}

/** Every key that is a workflow's own: the buckets come first, and its row last. */
export function ownKeys(keys: Keys, id: string, extent: Extent): string[] {
  const names = [...keys.buckets(id), keys.open(id), keys.inbox(id), keys.streams(id)];
  for (let bucket = 0; bucket * POSITIONS_SIZE < extent.positions; bucket++) names.push(keys.positions(id, bucket));
  for (let segment = 0; segment <= segmentOf(extent.entries - 1); segment++) names.push(keys.journal(id, segment));
  for (const [topic, { head, tail }] of extent.queues) {
    for (let segment = head; segment <= tail; segment++) names.push(keys.queue(id, topic, segment));
  }
  for (const [key, tail] of extent.streams) {
    for (let segment = 0; segment <= segmentOf(tail - 1); segment++) names.push(keys.stream(id, key, segment));
  }
  return [...names, keys.workflow(id)];
}

/** All keys of a workflow, and how far they reach. */
export interface WholePart {
  readonly whole: KeyRange;
  readonly covers: object;
}

/** Declares every key of a workflow. */
export function declareWhole(call: Call, id: string, extent: Extent): WholePart {
  const { entries, positions, streams, queues } = extent;
  return {
    whole: call.range(ownKeys(call.keys, id, extent)),
    covers: {
      entries,
      positions,
      streams: [...streams],
      queues: [...queues].map(([topic, { head, tail }]) => [topic, head, tail]),
    },
  };
}

/** What may have to be known of a workflow's whole extent. */
export function withExtent<Part extends WorkflowPart>(call: Call, part: Part): Part & { inbox: number; streams: number } {
  return { ...part, inbox: call.key(call.keys.inbox(part.id)), streams: call.key(call.keys.streams(part.id)) };
}

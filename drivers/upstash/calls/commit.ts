/**
 * The request of a commit.
 *
 * @module
 */

import type { CommitRequest, Operation, Transition } from "../../../core/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { Call, segmentOf, type SegmentRange } from "../call.ts";
import type { Client } from "../client.ts";
import type { Extent, Extents } from "../extents.ts";
import { bucketOf, POSITIONS_SIZE } from "../keys.ts";
import {
  declareEnd,
  declareInbox,
  declareIndex,
  declareParent,
  declareSchedule,
  declareWhole,
  type InboxPart,
  type QueueUse,
  withKept,
} from "./parts.ts";

/** What a commit may write, if none of it is recorded yet. */
interface Counts {
  readonly entries: number;
  readonly positions: number;
  /** How many values are written to each stream. */
  readonly writes: ReadonlyMap<string, number>;
  /** By workflow and topic. */
  readonly queues: ReadonlyMap<string, Map<string, QueueUse>>;
}

/** Builds the request. `oldest`: the first segment of the journal that it needs, if that is not where the next entry goes. */
export function commitCall(client: Client, request: CommitRequest, oldest: number | undefined): string[] {
  validate(request);
  return new CommitCall(client, request, oldest).build();
}

/** Refuses what no store would carry out. */
function validate({ operations }: CommitRequest): void {
  for (const { position, type } of operations) {
    if (position === null && type !== "send" && type !== "setEvent" && type !== "writeStream") {
      throw new DriverError(`Committing ${type}: it must have a position`, { retryable: false });
    }
  }
}

class CommitCall {
  readonly #call: Call;
  readonly #request: CommitRequest;
  readonly #extents: Extents;
  readonly #retention: number | undefined;
  readonly #extent: Extent;
  readonly #counts: Counts;
  readonly #inboxes = new Map<string, InboxPart>();
  readonly #streams: string[];
  readonly #oldest: number | undefined;

  constructor({ keys, extents, retention }: Client, request: CommitRequest, oldest: number | undefined) {
    this.#call = new Call(keys);
    this.#request = request;
    this.#extents = extents;
    this.#retention = retention;
    this.#extent = extents.of(request.workflowId);
    this.#counts = count(request);
    this.#streams = [...this.#counts.writes.keys()];
    this.#oldest = oldest;
  }

  build(): string[] {
    const { workflowId, epoch, owner, number, leaseMs, operations, transition } = this.#request;
    const call = this.#call;
    declareSchedule(call);
    const indexes = operations.some(({ type }) => type === "start") ? ["parked", "PENDING"] : ["parked"];
    const index = declareIndex(call, indexes);
    call.workflow(workflowId);
    for (const [id, uses] of this.#counts.queues) this.#inboxes.set(id, declareInbox(call, id, this.#extents.of(id), uses));
    const own = this.#own();
    const streams = this.#streams.map((key) => ({ key, ...this.#segmentsOf(key) }));
    const documents = operations.map((operation) => this.#operation(operation));
    const made = this.#transition(transition);
    for (const name of this.#extent.waits) call.key(name);
    // A child whose result is read here goes where those are that may be removed.
    const reading = operations.some(({ type }) => type === "observeResult") ? declareEnd(call, indexes, this.#retention) : index;
    return call.arguments({
      ...{ channel: call.keys.channel, epoch, owner, number, leaseMs, ...reading, together: call.key(call.keys.together) },
      ...(transition && { claim: call.key(call.keys.claim(owner)), transition: made.transition }),
      ...(transition?.to === "end" && this.#end([...indexes, "PENDING", transition.status])),
      operations: documents,
      streams,
      workflows: call.workflows.map((part) => {
        const isFamily = part.id === workflowId || part.id === this.#extent.parent;
        return { ...(isFamily ? withKept(call, part) : part), ...this.#inboxes.get(part.id), ...(part.id === workflowId && own) };
      }),
    });
  }

  #own() {
    const { keys } = this.#call;
    const { workflowId } = this.#request;
    return {
      open: this.#call.key(keys.open(workflowId)),
      streams: this.#call.key(keys.streams(workflowId)),
      ...(this.#retention !== undefined && { inbox: this.#call.key(keys.inbox(workflowId)) }),
      journal: this.#journal(),
    };
  }

  #journal(): SegmentRange {
    const { entries } = this.#extent;
    const next = segmentOf(entries);
    const last = this.#counts.entries > 0 ? segmentOf(entries + this.#counts.entries - 1) : next - 1;
    return this.#call.segments(Math.min(next, this.#oldest ?? next), last, (segment) => {
      return this.#call.keys.journal(this.#request.workflowId, segment);
    });
  }

  #segmentsOf(key: string): SegmentRange {
    const { workflowId } = this.#request;
    const tail = this.#extent.streams.get(key) ?? 0;
    return this.#call.items(tail, this.#counts.writes.get(key) ?? 0, (segment) => this.#call.keys.stream(workflowId, key, segment));
  }

  #operation(operation: Operation): object {
    const { position, label, type } = operation;
    const { keys } = this.#call;
    const { workflowId } = this.#request;
    const bucket = Math.floor((position ?? 0) / POSITIONS_SIZE);
    const place = position === null ? {} : { position, label, positions: this.#call.key(keys.positions(workflowId, bucket)) };
    return { type, ...place, ...this.#details(operation) };
  }

  #details(operation: Operation): object {
    const call = this.#call;
    const { keys } = call;
    const own = this.#request.workflowId;
    switch (operation.type) {
      case "record": {
        const { tag, value, topic } = operation.outcome;
        return { tag, value: call.optional(value), topic: topic ?? undefined };
      }
      case "send":
        return messagePart(call, this.#inboxes, operation.message);
      case "setEvent": {
        const { key, value } = operation;
        return {
          key,
          value: call.value(value),
          events: call.key(keys.events(own, key)),
          bucket: bucketOf(key),
          waiters: call.key(keys.waiters(own)),
          what: eventOf(key),
        };
      }
      case "writeStream":
        return { stream: this.#streams.indexOf(operation.key) + 1, value: call.value(operation.value) };
      case "closeStream":
        return { stream: this.#streams.indexOf(operation.key) + 1 };
      case "start": {
        const { workflowId, name, input } = operation.workflow;
        return { workflow: call.workflow(workflowId), name, input: call.value(input) };
      }
      default:
        return { timeoutMs: operation.timeoutMs ?? undefined, ...this.#wait(operation) };
    }
  }

  #wait(operation: Operation): object {
    const call = this.#call;
    const { keys } = call;
    switch (operation.type) {
      case "receive": {
        const queues = this.#inboxes.get(this.#request.workflowId)?.queues ?? [];
        return { queues: operation.topics.map((topic) => queues.findIndex((queue) => queue.topic === topic) + 1) };
      }
      case "observeEvent": {
        const { workflowId, key } = operation;
        return { key, events: call.key(keys.events(workflowId, key)), ...this.#observed(operation), what: eventOf(key) };
      }
      case "observeResult":
        return { ...this.#observed(operation), what: operation.together ? RESULT_TOGETHER : RESULT };
      case "pause":
        return { attempts: operation.attempts };
      default:
        return {};
    }
  }

  #observed({ workflowId, started }: { workflowId: string; started: boolean }): object {
    const call = this.#call;
    return { workflow: call.workflow(workflowId), waiters: call.key(call.keys.waiters(workflowId)), started: started || undefined };
  }

  #transition(transition: Transition | null): { transition?: object } {
    const call = this.#call;
    if (transition?.to === "park") return { transition: { ...transition, problem: call.value(transition.problem) } };
    if (transition?.to !== "end") return transition ? { transition } : {};
    const { to, status, output, error } = transition;
    const waiters = call.key(call.keys.waiters(this.#request.workflowId));
    return { transition: { to, status, output: call.optional(output), error: call.optional(error), waiters } };
  }

  /** What an end writes. With a retention it gives every key of the workflow an expiry, those that this commit makes among them. */
  #end(statuses: readonly string[]): object {
    const call = this.#call;
    const end = declareEnd(call, statuses, this.#retention);
    if (this.#retention === undefined) return end;
    declareParent(call, this.#extent.parent);
    const { entries, positions, streams, queues } = this.#extent;
    const { workflowId } = this.#request;
    const after: Extent = {
      entries: entries + this.#counts.entries,
      positions: Math.max(positions, this.#counts.positions),
      streams: new Map(streams),
      queues: new Map(queues),
      waits: [],
    };
    for (const [key, writes] of this.#counts.writes) after.streams.set(key, (streams.get(key) ?? 0) + writes);
    for (const topic of this.#counts.queues.get(workflowId)?.keys() ?? []) {
      after.queues.set(topic, queues.get(topic) ?? { head: 0, tail: 0 });
    }
    return { ...end, ...declareWhole(call, workflowId, after) };
  }
}

/** What somebody waits for, in the set beside a workflow. As in `lua/waiters.ts`. */
const RESULT = "r";
const RESULT_TOGETHER = "t";

function eventOf(key: string): string {
  return `e${key}`;
}

/** A message, for the scripts that send. */
export function messagePart(
  call: Call,
  inboxes: ReadonlyMap<string, InboxPart>,
  message: { destinationId: string; topic: string; messageId: string; dedupeKey: string; value: string },
): object {
  const { destinationId, topic, messageId, dedupeKey, value } = message;
  const queues = inboxes.get(destinationId)?.queues ?? [];
  return {
    to: call.workflow(destinationId),
    queue: queues.findIndex((queue) => queue.topic === topic) + 1,
    sent: call.key(call.keys.sent(destinationId, dedupeKey)),
    bucket: bucketOf(dedupeKey),
    ...{ messageId, dedupeKey },
    value: call.value(value),
  };
}

/** Notes that a call uses a queue. */
export function useQueue(queues: Map<string, Map<string, QueueUse>>, id: string, topic: string, use: QueueUse): void {
  const uses = queues.get(id) ?? new Map<string, QueueUse>();
  const before = uses.get(topic) ?? use;
  queues.set(id, uses.set(topic, before === use ? use : "both"));
}

function count({ workflowId, operations }: CommitRequest): Counts {
  const writes = new Map<string, number>();
  const queues = new Map<string, Map<string, QueueUse>>();
  let [entries, positions] = [0, 0];
  for (const operation of operations) {
    if (operation.position !== null) entries += 1;
    positions = Math.max(positions, (operation.position ?? -1) + 1);
    if (operation.type === "send") useQueue(queues, operation.message.destinationId, operation.message.topic, "send");
    if (operation.type === "receive") { for (const topic of operation.topics) useQueue(queues, workflowId, topic, "receive"); }
    if (operation.type === "writeStream") writes.set(operation.key, (writes.get(operation.key) ?? 0) + 1);
    if (operation.type === "closeStream") writes.set(operation.key, writes.get(operation.key) ?? 0);
  }
  return { entries, positions, writes, queues };
}

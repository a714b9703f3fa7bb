/**
 * Inputs and outputs as Valibot schemas. They check requests, and the OpenAPI document is made of
 * them.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import { STATUSES } from "../../core/driver/statuses.ts";
import { type Duration, toMilliseconds } from "../../core/values/checks.ts";

/**
 * The longest ID, name or key, in UTF-16 units. The core counts characters, and refuses text that
 * is not well-formed.
 */
const MAX_NAME_LENGTH = 2 * 255;

/** An ID, a name or a key. */
export const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_NAME_LENGTH));

/** A workflow's status. */
export const Status = v.picklist(STATUSES);

/** The trace that a start or a message belongs to. */
const Traceparent = v.optional(
  v.pipe(
    v.string(),
    v.maxLength(MAX_NAME_LENGTH),
    v.description("The trace for the observer, by W3C Trace Context; also the header traceparent"),
  ),
);

/** The body of `POST /workflows`. */
export const StartBody = v.strictObject({
  workflow: v.pipe(Name, v.description("The name of the workflow's definition")),
  input: v.optional(v.pipe(v.unknown(), v.description("What the workflow gets; any JSON"))),
  workflowId: v.optional(
    v.pipe(Name, v.description("The new workflow's ID; also the header Idempotency-Key. Default a new UUID")),
  ),
  delay: v.optional(v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,15}(\.\d{1,9})?(ms|s|m|h|d)$/))]),
    v.description("How long to wait before it begins: milliseconds, or a text such as 3d"),
    v.transform((delay) => delay as Duration),
  )),
  at: v.optional(v.pipe(v.number(), v.description("When it begins, in epoch milliseconds"))),
  enqueue: v.optional(
    v.pipe(v.boolean(), v.description("Whether a sweep runs it later, instead of this server at once")),
  ),
  traceparent: Traceparent,
  checked: v.optional(v.pipe(
    v.unknown(),
    v.description(
      "The input as the caller's schema returned it. It is stored instead of the input if this server has " +
        "no schema for the workflow",
    ),
  )),
});

/** The outcome of a start. */
export const StartResult = v.object({
  workflowId: v.string(),
  created: v.pipe(v.boolean(), v.description("Whether this request created the workflow")),
});

/** The body of `POST /workflows/:id/messages`. */
export const MessageBody = v.strictObject({
  message: v.pipe(v.unknown(), v.description("The message; any JSON")),
  topic: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(MAX_NAME_LENGTH),
      v.description("The topic. Default that of messages without a topic"),
    ),
  ),
  idempotencyKey: v.optional(
    v.pipe(
      Name,
      v.description(
        "Makes the message unique for the life of the workflow; also the header Idempotency-Key, which is ASCII",
      ),
    ),
  ),
  traceparent: Traceparent,
});

/** The most messages of one request. */
export const MAX_MESSAGES = 10_000;

/** The body of `POST /messages`. */
export const MessagesBody = v.strictObject({
  messages: v.pipe(
    v.array(v.strictObject({
      destinationId: v.pipe(Name, v.description("The workflow that is to receive it")),
      ...MessageBody.entries,
    })),
    v.maxLength(MAX_MESSAGES),
  ),
});

/** The body of `POST /wake`. */
export const WakeBody = v.strictObject({ workflowIds: v.pipe(v.array(Name), v.maxLength(1_000)) });

/** A number in a query. */
export function count(least: number, most: number, description: string): v.GenericSchema<unknown, number | undefined> {
  return v.optional(v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, "It must be a whole number"),
    // The description comes before the transformation, because the documentation ends there.
    v.description(description),
    v.transform(Number),
    v.minValue(least),
    v.maxValue(most),
  )) as v.GenericSchema<unknown, number | undefined>;
}

/** The parameter `wait`. */
export const WaitParameter: v.GenericSchema<unknown, Duration | undefined> = v.optional(v.pipe(
  v.string(),
  v.regex(/^\d{1,9}(\.\d{1,9})?(ms|s|m|h)$/, "It must be a number with ms, s, m or h, such as 30s"),
  v.description("How long to wait, such as 30s; the server may wait less. Default not at all."),
  v.transform((text) => text as Duration),
)) as v.GenericSchema<unknown, Duration | undefined>;

/** The parameters of a wait for an event or a result. */
export const WAIT_PARAMETERS = {
  wait: WaitParameter,
  until: count(
    0,
    Number.MAX_SAFE_INTEGER,
    "The wait ends at this instant of the store's clock at the latest, in epoch milliseconds",
  ),
};

/** How long to wait. See {@linkcode waitMs}. */
export function waitOf(
  c: Context,
  { wait, until }: { wait?: Duration | undefined; until?: number | undefined },
  maxWaitMs: number,
): { timeout: number; until?: number } {
  return { timeout: waitMs(c, wait, maxWaitMs), ...(until !== undefined && { until }) };
}

/**
 * How long to wait, in milliseconds, at most `maxWaitMs`. The parameter `wait` says it, or else the
 * header `Prefer: wait=30` (RFC 7240) in seconds.
 */
export function waitMs(c: Context, wait: Duration | undefined, maxWaitMs: number): number {
  if (wait !== undefined) return Math.min(toMilliseconds(wait, "wait"), maxWaitMs);
  const preferred = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})/i.exec(c.req.header("prefer") ?? "")?.[1];
  return Math.min(Number(preferred ?? 0) * 1_000, maxWaitMs);
}

/** The outcome of a send. */
export const Receipt = v.object({
  messageId: v.pipe(v.string(), v.description("The message's ID; for a duplicate, that of the first message")),
  duplicate: v.pipe(
    v.boolean(),
    v.description("Whether the idempotency key was used before, so that nothing was sent"),
  ),
});

/** An error as data. */
const SerializedError = v.object({
  name: v.string(),
  message: v.string(),
  cause: v.optional(v.unknown()),
  fields: v.optional(v.record(v.string(), v.unknown())),
});

/** What the store knows of a workflow. */
export const WorkflowInfoBody = v.object({
  workflowId: v.string(),
  name: v.string(),
  status: Status,
  waiting: v.optional(v.object({ operations: v.array(v.string()), until: v.optional(v.number()) })),
  input: v.optional(v.pipe(
    v.unknown(),
    v.description(
      "In a list only with include=values. Missing if it is undefined, which JSON does not have. So is output",
    ),
  )),
  output: v.optional(v.unknown()),
  error: v.optional(SerializedError),
  problem: v.optional(
    v.pipe(
      SerializedError,
      v.description("Why the workflow is parked. It is tried again, and continues when its code fits"),
    ),
  ),
  failed: v.optional(v.pipe(
    v.object({ position: v.number(), operation: v.string() }),
    v.description("The operation whose error ended the workflow"),
  )),
  unreadable: v.optional(v.pipe(
    v.array(v.picklist(["input", "output", "error", "problem"])),
    v.description("Members that this server cannot decode, and leaves out"),
  )),
  createdAt: v.number(),
  updatedAt: v.number(),
  endedAt: v.optional(v.number()),
  unread: v.optional(
    v.pipe(v.number(), v.description("How many messages it has not received yet. Some stores leave it out of a list")),
  ),
  generation: v.pipe(v.number(), v.description("How often it was continued as new")),
  recoveryAttempts: v.number(),
});

/** A page of workflows. */
export const WorkflowPageBody = v.object({ workflows: v.array(WorkflowInfoBody), cursor: v.optional(v.string()) });

const UNREADABLE = v.optional(v.pipe(
  v.literal(true),
  v.description("Set if this server cannot decode the value or error, which is then missing"),
));

/** A page of a workflow's journal. */
export const HistoryPageBody = v.object({
  entries: v.array(v.object({
    position: v.number(),
    kind: v.string(),
    name: v.optional(v.union([v.string(), v.array(v.string())])),
    destinationId: v.optional(v.string()),
    state: v.picklist(["waiting", "done", "failed", "timeout", "withdrawn"]),
    startedAt: v.number(),
    endedAt: v.optional(v.number()),
    attempts: v.optional(v.number()),
    deadline: v.optional(v.number()),
    value: v.optional(v.unknown()),
    error: v.optional(SerializedError),
    unreadable: UNREADABLE,
  })),
  next: v.optional(v.number()),
});

/** A page of a workflow's messages. */
export const MessagePageBody = v.object({
  messages: v.array(v.object({
    messageId: v.string(),
    topic: v.string(),
    sentAt: v.number(),
    receivedAt: v.optional(v.number()),
    position: v.optional(v.number()),
    value: v.optional(v.unknown()),
    idempotencyKey: v.optional(v.string()),
    unreadable: UNREADABLE,
  })),
  next: v.optional(v.number()),
});

/** An event of a workflow. */
export const EventInfoBody = v.object({
  key: v.string(),
  version: v.number(),
  value: v.optional(v.unknown()),
  updatedAt: v.number(),
  unreadable: UNREADABLE,
});

/** A stream of a workflow. */
export const StreamInfoBody = v.object({
  key: v.string(),
  length: v.number(),
  closed: v.boolean(),
  updatedAt: v.number(),
});

/** The outcome of a sweep. */
export const SweepResultBody = v.object({ claimed: v.number(), finished: v.number(), suspended: v.number() });

/** An event's value. */
export const EventValue = v.object({ value: v.unknown(), version: v.number() });

/** A page of a stream. */
export const StreamPageBody = v.object({ values: v.array(v.unknown()), nextOffset: v.number(), closed: v.boolean() });

/** The body of an error. */
export const ProblemBody = v.looseObject({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: v.string(),
  issues: v.optional(v.array(v.object({ message: v.string(), path: v.optional(v.array(v.string())) }))),
});

/**
 * What goes in and comes out, as Valibot schemas: requests are checked with them, and the OpenAPI document is made of them.
 *
 * @module
 */

import * as v from "valibot";
import { STATUSES } from "../../core/driver/statuses.ts";

/** How long an ID, a name or a key may be; the core counts characters, and refuses what is not well-formed. */
const LONGEST_NAME = 2 * 255;

/** An ID, a name or a key. */
export const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(LONGEST_NAME));

/** A workflow's status. */
export const Status = v.picklist(STATUSES);

/** Of `POST /workflows`. */
export const StartBody = v.strictObject({
  workflow: v.pipe(Name, v.description("The name of the workflow's definition")),
  input: v.optional(v.pipe(v.unknown(), v.description("What the workflow gets; any JSON"))),
  workflowId: v.optional(
    v.pipe(Name, v.description("The new workflow's ID; also the header Idempotency-Key. Default a new UUID")),
  ),
  enqueue: v.optional(
    v.pipe(v.boolean(), v.description("Whether a sweep is to run it, in place of this server at once")),
  ),
  checked: v.optional(v.pipe(
    v.unknown(),
    v.description(
      "The input as the workflow's schema has returned it to the caller: stored in its place where this server has no schema for it",
    ),
  )),
});

/** What a start came to. */
export const StartResult = v.object({
  workflowId: v.string(),
  created: v.pipe(v.boolean(), v.description("Whether this request made the workflow")),
});

/** Of `POST /workflows/:id/messages`. */
export const MessageBody = v.strictObject({
  message: v.pipe(v.unknown(), v.description("The message; any JSON")),
  topic: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(LONGEST_NAME),
      v.description("Which queue. Default the one of messages without a topic"),
    ),
  ),
  idempotencyKey: v.optional(
    v.pipe(
      Name,
      v.description(
        "Makes the message once, for the life of the workflow; also the header Idempotency-Key, which is ASCII",
      ),
    ),
  ),
});

/** How many messages one request may send. */
export const MOST_MESSAGES = 10_000;

/** Of `POST /messages`. */
export const MessagesBody = v.strictObject({
  messages: v.pipe(
    v.array(v.strictObject({
      destinationId: v.pipe(Name, v.description("The workflow that is to receive it")),
      ...MessageBody.entries,
    })),
    v.maxLength(MOST_MESSAGES),
  ),
});

/** Of `POST /wake`. */
export const WakeBody = v.strictObject({ workflowIds: v.pipe(v.array(Name), v.maxLength(1_000)) });

/** A number in a query. */
export function count(least: number, most: number, description: string): v.GenericSchema<unknown, number | undefined> {
  return v.optional(v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, "It must be a whole number"),
    // Before the transformation, or else the documentation would not have it.
    v.description(description),
    v.transform(Number),
    v.minValue(least),
    v.maxValue(most),
  )) as v.GenericSchema<unknown, number | undefined>;
}

/** What a send came to. */
export const Receipt = v.object({
  messageId: v.pipe(v.string(), v.description("The message's ID; of the first one, if this is a duplicate")),
  duplicate: v.pipe(
    v.boolean(),
    v.description("Whether the idempotency key was used before, so that nothing was sent now"),
  ),
});

/** An error as data. */
const Failure = v.object({
  name: v.string(),
  message: v.string(),
  cause: v.optional(v.unknown()),
  fields: v.optional(v.record(v.string(), v.unknown())),
});

/** What is known of a workflow. */
export const Info = v.object({
  workflowId: v.string(),
  name: v.string(),
  status: Status,
  waiting: v.optional(v.object({ operations: v.array(v.string()), until: v.optional(v.number()) })),
  input: v.optional(v.pipe(
    v.unknown(),
    v.description(
      "In a list only with include=values. Not there if it is undefined, which JSON does not have; as in output",
    ),
  )),
  output: v.optional(v.unknown()),
  error: v.optional(Failure),
  problem: v.optional(
    v.pipe(Failure, v.description("Why it is parked: it is tried again, and goes on when its code fits")),
  ),
  unreadable: v.optional(v.pipe(
    v.array(v.picklist(["input", "output", "error", "problem"])),
    v.description("What this server cannot decode, and so has left out"),
  )),
  createdAt: v.number(),
  updatedAt: v.number(),
  recoveryAttempts: v.number(),
});

/** A page of workflows. */
export const Page = v.object({ workflows: v.array(Info), cursor: v.optional(v.string()) });

/** What a sweep did. */
export const Swept = v.object({ claimed: v.number(), finished: v.number(), suspended: v.number() });

/** An event's value. */
export const EventValue = v.object({ value: v.unknown(), version: v.number() });

/** A part of a stream. */
export const StreamPart = v.object({ values: v.array(v.unknown()), nextOffset: v.number(), closed: v.boolean() });

/** The body of an error. */
export const ProblemBody = v.looseObject({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: v.string(),
  issues: v.optional(v.array(v.object({ message: v.string(), path: v.optional(v.array(v.string())) }))),
});

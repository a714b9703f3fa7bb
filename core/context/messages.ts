/**
 * Prepares the messages that a workflow, a step or a client sends, and reads the outcomes.
 *
 * @module
 */

import { type Channel, knownTopic, type SendOptions, type SendReceipt, type Topics, toTopic } from "../channel.ts";
import type { NewMessage, Outcome, Refusal, WorkflowStatus } from "../driver/driver.ts";
import {
  IdempotencyConflictError,
  type ParleyError,
  quote,
  WorkflowEndedError,
  WorkflowNotFoundError,
} from "../errors.ts";
import { checkName } from "../values/checks.ts";
import { checkTraceparent, toStored } from "../values/marked_text.ts";
import { andThen, type Values } from "../values/values.ts";

/** The recipient of a message. */
export interface Recipient {
  workflowId: string;
  topic: Channel<unknown>;
  idempotencyKey: string | undefined;
  /** The trace of the message, if the caller gave one. */
  traceparent: string | undefined;
}

/**
 * Checks the recipient of a message.
 *
 * @param topics The topics that are known here. Default none.
 */
export function toRecipient(
  workflowId: string,
  options: SendOptions<unknown>,
  topics: Topics = new Map(),
): Recipient {
  checkName(workflowId, "destination ID");
  const { topic, idempotencyKey, traceparent } = options;
  if (idempotencyKey !== undefined) checkName(idempotencyKey, "idempotency key");
  return {
    workflowId,
    topic: knownTopic(toTopic(topic), topics),
    idempotencyKey,
    traceparent: checkTraceparent(traceparent),
  };
}

/**
 * Throws if two messages of one call have the same recipient and idempotency key. Only one of them
 * would be sent.
 */
export function refuseRepeatedKeys(recipients: Recipient[]): void {
  const seen = new Set<string>();
  for (const { workflowId, idempotencyKey } of recipients) {
    if (idempotencyKey === undefined) continue;
    const place = JSON.stringify([workflowId, idempotencyKey]);
    if (seen.has(place)) throw new IdempotencyConflictError(idempotencyKey);
    seen.add(place);
  }
}

/**
 * Takes a message's value at once, so changes that the caller makes later have no effect.
 *
 * @returns A function that returns the checked and encoded message, as a promise if the topic's
 * schema is asynchronous. The function's parameters are the dedupe key for a message without an
 * idempotency key, by default made from the message's ID, and the message's trace, by default that
 * of the recipient.
 */
export function takeMessage(
  values: Values,
  { workflowId, topic, idempotencyKey, traceparent }: Recipient,
  message: unknown,
): (dedupeKey?: string, traceparent?: string) => NewMessage | Promise<NewMessage> {
  const encoded = values.take(
    message,
    topic.name === "" ? "message" : `message of topic ${quote(topic.name)}`,
    topic.schema,
  );
  const messageId = crypto.randomUUID();
  return (dedupeKey = `id:${messageId}`, trace = traceparent) =>
    andThen(encoded(), (text) => ({
      destinationId: workflowId,
      topic: topic.name,
      messageId,
      // Prefixes keep the callers' keys apart from the library's.
      dedupeKey: idempotencyKey !== undefined ? `key:${idempotencyKey}` : dedupeKey,
      value: toStored(values.trace(text, trace), topic.schema !== undefined),
    }));
}

/** Returns the receipt, or throws the refusal. */
export function readSent(outcome: Outcome, recipient: Recipient): SendReceipt {
  const { tag, value } = outcome;
  if (tag === "sent" || tag === "duplicate") return { messageId: value!, duplicate: tag === "duplicate" };
  throw refusalError(tag as Refusal, recipient, value as WorkflowStatus);
}

/** The error that tells why a message was not sent. */
export function refusalError(
  reason: Refusal,
  { workflowId, idempotencyKey }: Recipient,
  status: WorkflowStatus | null,
): ParleyError {
  if (reason === "workflow_not_found") return new WorkflowNotFoundError(workflowId);
  if (reason === "workflow_ended") return new WorkflowEndedError(workflowId, status!);
  return new IdempotencyConflictError(idempotencyKey ?? "");
}

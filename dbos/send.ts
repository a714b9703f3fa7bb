/**
 * Sends messages to workflows of DBOS.
 *
 * @module
 */

import type { SendReceipt } from "../core/channel.ts";
import type { Recipient } from "../core/context/messages.ts";
import { type ParleyError, quote, WorkflowNotFoundError } from "../core/errors.ts";
import { check } from "../core/values/values.ts";
import { snapshot } from "../core/values/snapshot.ts";
import type { DbosCalls } from "./calls.ts";
import { keyedMessageId } from "./records.ts";
import { NO_TOPIC } from "./sql/names.ts";
import { sendStatement, unknownStatement } from "./sql/writes.ts";
import { toPortable } from "./values/portable.ts";

/** A message that is ready to be sent. */
export interface DbosMessage {
  readonly id: string;
  readonly destination: string;
  readonly topic: string;
  readonly message: string;
  /** Whether the caller gave an idempotency key. Without one, no other message has this ID. */
  readonly isKeyed: boolean;
}

/** The number of workflows whose last message is remembered. */
const MAX_FLOORS = 1_000;

/**
 * Takes a message's value at once, so changes that the caller makes later have no effect.
 *
 * @returns A function that checks it with the topic's schema, if it has one.
 */
export function takeDbosMessage(
  { workflowId, topic, idempotencyKey }: Recipient,
  message: unknown,
  limit: number,
): () => Promise<DbosMessage> {
  const what = topic.name === "" ? "message" : `message of topic ${quote(topic.name)}`;
  const encode = (value: unknown) => toPortable(value, what, limit);
  const { schema } = topic;
  const taken = schema ? snapshot(message) : encode(message);
  const id = idempotencyKey === undefined ? crypto.randomUUID() : keyedMessageId(idempotencyKey, workflowId);
  return async () => ({
    id,
    destination: workflowId,
    topic: topic.name === "" ? NO_TOPIC : topic.name,
    message: schema ? encode(await check(schema, taken, what)) : taken as string,
    isKeyed: idempotencyKey !== undefined,
  });
}

/**
 * Sends messages, all or none.
 *
 * @throws {WorkflowNotFoundError} If a destination does not exist.
 */
export async function sendDbosMessages(calls: DbosCalls, messages: readonly DbosMessage[]): Promise<SendReceipt[]> {
  const { floors } = calls;
  const counts = new Map<string, number>();
  const rows = messages.map(({ id, destination, topic, message }, place) => {
    const n = counts.get(destination) ?? 0;
    counts.set(destination, n + 1);
    return { id, destination, topic, message, floor: floors.get(destination) ?? 0, n, place };
  });
  // Only then does it matter which of them are stored, and the statement needs the right to read.
  const isNamed = messages.length > 1 && messages.some(({ isKeyed }) => isKeyed);
  const answer = await calls.callPlain<{ stamps: number[]; stored: unknown[] }>(
    "send",
    (of) => sendStatement(of, isNamed),
    [JSON.stringify(rows)],
    { refused: (error, state) => state === NO_DESTINATION ? notFound(calls, error, messages) : error },
  );
  const { stamps } = answer!;
  const stored = new Set(answer!.stored);
  messages.forEach(({ destination }, index) => keepFloor(floors, destination, stamps[index]! + 1));
  const isStored = (id: string) => isNamed ? stored.has(id) : stored.size > 0;
  // A message without a key is new. If it is stored already, an earlier try has stored it.
  return messages.map(({ id, isKeyed }) => ({ messageId: id, duplicate: isKeyed && !isStored(id) }));
}

function keepFloor(floors: Map<string, number>, destination: string, floor: number): void {
  const last = floors.get(destination) ?? 0;
  floors.delete(destination);
  floors.set(destination, Math.max(last, floor));
  if (floors.size > MAX_FLOORS) floors.delete(floors.keys().next().value!);
}

/** The SQLSTATE of a row without its parent. Messages have only one foreign key, that of the destination. */
const NO_DESTINATION = "23503";

/**
 * The error that names a destination that does not exist. If there are several, it has to look. The
 * role may not be able to, or all may exist by now. Then it is the error of the send.
 */
async function notFound(calls: DbosCalls, error: ParleyError, messages: readonly DbosMessage[]): Promise<ParleyError> {
  const destinations = [...new Set(messages.map(({ destination }) => destination))];
  const [unknown] = destinations.length === 1
    ? destinations
    : await calls.callPlain<string[]>("send", unknownStatement, [JSON.stringify(destinations)]).catch(() => []) ?? [];
  return unknown === undefined ? error : new WorkflowNotFoundError(unknown);
}

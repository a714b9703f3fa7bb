/**
 * Sends what a route returned.
 *
 * @module
 */

import { type Topic, toTopic } from "../../core/channel.ts";
import { ValidationError, WorkflowEndedError, WorkflowNotFoundError } from "../../core/errors.ts";
import type { Client } from "../../core/client.ts";
import { checkName } from "../../core/values/checks.ts";
import { operationOf } from "../served_client.ts";
import { type WebhookEndpoint, webhookKey } from "./webhook_key.ts";

/**
 * The message that an event becomes.
 *
 * @category Webhooks
 */
export interface WebhookMessage {
  /** The workflow that receives it. */
  workflowId: string;
  /** The topic. Default that of messages without a topic. */
  // deno-lint-ignore no-explicit-any -- a message of any type; the topic's schema checks it
  topic?: Topic<any> | string;
  /** The message. */
  message: unknown;
}

/** What to do if a workflow cannot receive a message. */
export interface Unreceived {
  readonly onUnknown?: "reject" | "accept";
  readonly onEnded?: "accept" | "reject";
}

/** The client that sends. */
type Sender = Partial<Pick<Client, "send" | "sendAll">>;

/** A message as `sendAll` takes it. */
interface Outgoing {
  readonly destinationId: string;
  // deno-lint-ignore no-explicit-any -- as in WebhookMessage
  readonly topic: Topic<any> | string;
  readonly message: unknown;
  readonly idempotencyKey: string;
}

/**
 * Sends the messages of a delivery, all or none. If a workflow cannot receive its message and the
 * options accept that, the other messages are sent one by one.
 *
 * @returns Whether all that were sent had been sent before; `undefined` if none was sent.
 */
export async function deliver(
  parley: Sender,
  list: readonly WebhookMessage[],
  { endpoint, id }: { endpoint: WebhookEndpoint; id: string },
  unreceived: Unreceived,
): Promise<boolean | undefined> {
  // All are checked before the first is sent.
  for (const it of list) checkRoute(it);
  const messages = await Promise.all(
    list.map(async ({ workflowId, topic = "", message }, index): Promise<Outgoing> => ({
      destinationId: workflowId,
      topic,
      message,
      idempotencyKey: await webhookKey(endpoint, { topic: toTopic(topic).name, id, index }),
    })),
  );
  try {
    return await sendTogether(parley, messages);
  } catch (error) {
    if (!isAccepted(error, unreceived)) throw error;
    return messages.length === 1 ? undefined : await sendEach(parley, messages, unreceived);
  }
}

async function sendTogether(parley: Sender, messages: readonly Outgoing[]): Promise<boolean> {
  try {
    const [only] = messages;
    if (messages.length > 1 || !only) {
      return (await operationOf(parley, "sendAll")(messages)).every(({ duplicate }) => duplicate);
    }
    const { destinationId, message, ...options } = only;
    return (await operationOf(parley, "send")(destinationId, message, options)).duplicate;
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    // The schema's words may quote a value of the payload.
    if (isOfSchema(error)) {
      throw new ValidationError(
        "Sending a webhook's event: the topic's schema refuses the message that the route returned",
      );
    }
    throw mistake("message", "what can be stored: JSON values, and the other types that Parley keeps");
  }
}

async function sendEach(
  parley: Sender,
  messages: readonly Outgoing[],
  unreceived: Unreceived,
): Promise<boolean | undefined> {
  const duplicates: boolean[] = [];
  for (const it of messages) {
    try {
      duplicates.push(await sendTogether(parley, [it]));
    } catch (error) {
      if (!isAccepted(error, unreceived)) throw error;
    }
  }
  return duplicates.length === 0 ? undefined : duplicates.every((it) => it);
}

function isAccepted(error: unknown, { onUnknown = "reject", onEnded = "accept" }: Unreceived): boolean {
  return (error instanceof WorkflowNotFoundError && onUnknown === "accept") ||
    (error instanceof WorkflowEndedError && onEnded === "accept");
}

/**
 * Checks where a route sends. Its owner must hear of a workflow ID or a topic that cannot exist.
 */
function checkRoute({ workflowId, topic = "" }: WebhookMessage): void {
  if (!isName(workflowId)) throw mistake("workflowId", `an ID of 1 to 255 characters, and not ${shape(workflowId)}`);
  const name: unknown = topic === "" || typeof topic !== "object" || topic === null ? topic : topic.name;
  if (name !== "" && !isName(name)) {
    throw mistake("topic", `a topic, or its name of 1 to 255 characters, and not ${shape(name)}`);
  }
}

function isName(name: unknown): boolean {
  try {
    checkName(name as string, "name");
    return true;
  } catch {
    return false;
  }
}

/** The kind of a value. The value comes from the payload, so the error shows no more of it. */
function shape(value: unknown): string {
  if (typeof value === "string") return `a text of ${value.length} characters that is not legal`;
  return value === null ? "null" : `of type ${typeof value}`;
}

/**
 * A mistake of the route. It is not a `ParleyError`, because the provider did nothing wrong. So the
 * answer is a 500, and the owner is told.
 */
function mistake(member: string, required: string): Error {
  return new Error(`Sending a webhook's event: the ${member} that the route returned must be ${required}`);
}

/** Whether a schema made the issues. The words of a schema differ from the error's message. */
function isOfSchema({ message, issues }: ValidationError): boolean {
  return issues[0]?.message !== message;
}

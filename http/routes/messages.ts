/**
 * Sending messages.
 *
 * @module
 */

import * as v from "valibot";
import { ValidationError } from "../../core/errors.ts";
import { answer } from "../wire/encoding.ts";
import { idempotencyKeyOf } from "../webhooks/idempotency_key.ts";
import { type Route, route } from "./route.ts";
import { MessageBody, MessagesBody, MOST_MESSAGES, Receipt } from "./schemas.ts";
import { refuseWebhookKey } from "../webhooks/webhook_key.ts";

const SENT = { description: "It was sent: the workflow can receive it, whatever happens", schema: Receipt };

const ERRORS = ["workflow_not_found", "workflow_ended", "idempotency_conflict", "value_too_large"] as const;

/** The routes. */
export const messageRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/workflows/:id/messages",
    action: "send",
    summary: "Send a message",
    headers: { "idempotency-key": "Makes the message once, for the life of the workflow" },
    body: MessageBody,
    responses: {
      201: SENT,
      200: { description: "The idempotency key was used before, and nothing was sent", schema: Receipt },
    },
    errors: ERRORS,
    concerns: ({ workflowId, body }) => [concern(workflowId, body)],
  }, async ({ c, parley, workflowId, body: { message, topic, idempotencyKey: given } }) => {
    const header = idempotencyKeyOf(c);
    const idempotencyKey = given ?? header;
    if (header !== undefined && header !== idempotencyKey) {
      throw new ValidationError(
        "Sending a message: idempotencyKey and the header Idempotency-Key must be the same, where there are both",
      );
    }
    refuseWebhookKey(idempotencyKey);
    const receipt = await parley.send(workflowId, message, {
      ...(topic !== undefined && { topic }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    });
    return answer(c, receipt, { status: receipt.duplicate ? 200 : 201 });
  }),
  route({
    method: "post",
    path: "/messages",
    action: "send",
    summary: "Send messages, all or none",
    body: MessagesBody,
    responses: {
      200: {
        description: "They were sent; a receipt for each, in order",
        schema: v.object({ receipts: v.array(Receipt) }),
      },
    },
    errors: ERRORS,
    concerns: ({ body }) => allConcerns(body),
  }, async ({ c, parley, body: { messages } }) => {
    for (const { idempotencyKey } of messages) refuseWebhookKey(idempotencyKey);
    const receipts = await parley.sendAll(messages.map(({ destinationId, message, topic, idempotencyKey }) => ({
      destinationId,
      message,
      ...(topic !== undefined && { topic }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    })));
    return answer(c, { receipts });
  }),
];

/** One for each queue that gets a message. None at all still has to be allowed, and so has what is refused later. */
function allConcerns(body: unknown): { workflowId?: string; key?: string }[] {
  const messages = member(body, "messages");
  // Nothing is checked yet: it may be a list of four billion holes.
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MOST_MESSAGES) return [{}];
  const concerns = Array.from(messages, (it) => concern(member(it, "destinationId"), it));
  return [...new Map(concerns.map((it) => [JSON.stringify([it.workflowId, it.key]), it])).values()];
}

function concern(workflowId: unknown, message: unknown): { workflowId?: string; key?: string } {
  const topic = member(message, "topic") ?? "";
  return { ...(typeof workflowId === "string" && { workflowId }), ...(typeof topic === "string" && { key: topic }) };
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

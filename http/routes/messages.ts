/**
 * Routes that send messages.
 *
 * @module
 */

import * as v from "valibot";
import { answer } from "../wire/encoding.ts";
import { idempotencyKeyOf, traceOf } from "../wire/request.ts";
import { given, type Route, route } from "./route.ts";
import { MAX_MESSAGES, MessageBody, MessagesBody, Receipt } from "./schemas.ts";
import { ValidationError } from "../../core/errors.ts";
import { WEBHOOK_KEY } from "../protocol.ts";

const SENT = { description: "The message is stored, and the workflow can receive it", schema: Receipt };

const ERRORS = ["workflow_not_found", "workflow_ended", "idempotency_conflict", "value_too_large"] as const;

/** The routes. */
export const messageRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/workflows/:id/messages",
    action: "send",
    summary: "Send a message",
    headers: { "idempotency-key": "Makes the message unique for the life of the workflow" },
    body: MessageBody,
    responses: {
      201: SENT,
      200: { description: "The idempotency key was used before, and nothing was sent", schema: Receipt },
    },
    errors: ERRORS,
    concerns: ({ workflowId, body }) => [concern(workflowId, body)],
  }, async ({ c, parley, workflowId, body, toValue }) => {
    const { message, topic } = body;
    const names = { doing: "Sending a message", name: "idempotencyKey" };
    const idempotencyKey = idempotencyKeyOf(c, body.idempotencyKey, names);
    refuseWebhookKey(idempotencyKey);
    const receipt = await parley.send(workflowId, toValue(message), {
      ...given({ topic, idempotencyKey }),
      ...traceOf(c, body.traceparent),
    });
    return answer(c, () => receipt, { status: receipt.duplicate ? 200 : 201 });
  }),
  route({
    method: "post",
    path: "/messages",
    action: "send",
    summary: "Send messages, all or none",
    body: MessagesBody,
    responses: {
      200: {
        description: "The messages are stored; a receipt for each, in order",
        schema: v.object({ receipts: v.array(Receipt) }),
      },
    },
    errors: ERRORS,
    concerns: ({ body }) => allConcerns(body),
  }, async ({ c, parley, body: { messages }, toValue }) => {
    for (const { idempotencyKey } of messages) refuseWebhookKey(idempotencyKey);
    const receipts = await parley.sendAll(
      messages.map(({ destinationId, message, topic, idempotencyKey, traceparent }) => ({
        destinationId,
        message: toValue(message),
        ...given({ topic, idempotencyKey }),
        ...traceOf(c, traceparent),
      })),
    );
    return answer(c, () => ({ receipts }));
  }),
];

/** Checks a caller's own key. @throws {ValidationError} If it is a key of a webhook. */
function refuseWebhookKey(key: string | undefined): void {
  if (key === undefined || !WEBHOOK_KEY.test(key)) return;
  throw new ValidationError(
    "Sending a message: an idempotency key of the form webhook: and 64 digits belongs to webhooks, and " +
      "must be another one",
  );
}

/**
 * One concern for each queue that gets a message. A request without messages, or one that is
 * refused later, still needs permission.
 */
function allConcerns(body: unknown): { workflowId?: string; key?: string }[] {
  const messages = member(body, "messages");
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MAX_MESSAGES) return [{}];
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

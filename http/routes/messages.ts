/**
 * Sending messages.
 *
 * @module
 */

import * as v from "valibot";
import { answer } from "../encoding.ts";
import { type Route, route } from "../route.ts";
import { MessageBody, MessagesBody, Receipt } from "../schemas.ts";

const SENT = { description: "It was sent: the workflow can receive it, whatever happens", schema: Receipt };

/** The routes. */
export const messageRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/workflows/:id/messages",
    action: "send",
    summary: "Send a message",
    headers: { "idempotency-key": "Makes the message once, for the life of the workflow" },
    body: MessageBody,
    responses: { 201: SENT, 200: { description: "The idempotency key was used before, and nothing was sent", schema: Receipt } },
    concerns: ({ workflowId, body }) => [concern(workflowId, body)],
  }, async ({ c, parley, workflowId, body: { message, topic, idempotencyKey = c.req.header("idempotency-key") } }) => {
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
    responses: { 200: { description: "They were sent; a receipt for each, in order", schema: v.object({ receipts: v.array(Receipt) }) } },
    concerns: ({ body }) => allConcerns(body),
  }, async ({ c, parley, body: { messages } }) => {
    const receipts = await parley.sendAll(messages.map(({ destinationId, message, topic, idempotencyKey }) => ({
      destinationId,
      message,
      ...(topic !== undefined && { topic }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    })));
    return answer(c, { receipts });
  }),
];

/** One of each message. None at all still has to be allowed. */
function allConcerns(body: unknown): { workflowId?: string; key?: string }[] {
  const messages = member(body, "messages");
  if (!Array.isArray(messages) || messages.length === 0) return [{}];
  return messages.map((it) => concern(member(it, "destinationId"), it));
}

function concern(workflowId: unknown, message: unknown): { workflowId?: string; key?: string } {
  const topic = member(message, "topic") ?? "";
  return { ...(typeof workflowId === "string" && { workflowId }), ...(typeof topic === "string" && { key: topic }) };
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

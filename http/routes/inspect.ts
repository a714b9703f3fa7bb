/**
 * Routes that show what a workflow has in the store.
 *
 * @module
 */

import * as v from "valibot";
import type { SerializedError } from "../../core/values/serialized_error.ts";
import { answer, type Show } from "../wire/encoding.ts";
import { withoutStack } from "../wire/problem.ts";
import { given, type Route, route } from "./route.ts";
import { count, EventInfoBody, HistoryPageBody, MessagePageBody, StreamInfoBody } from "./schemas.ts";

const LIMIT = count(1, 1_000, "How many at most. Default 100");
const AFTER = count(0, Number.MAX_SAFE_INTEGER, "The next of the page before");

const HistoryQuery = v.object({ after: AFTER, limit: LIMIT });

const MessagesQuery = v.object({
  state: v.optional(
    v.pipe(v.picklist(["unread", "received", "all"]), v.description("Which messages. Default unread")),
  ),
  topic: v.optional(
    v.pipe(v.string(), v.description("Only messages of this topic; empty for those without one. Default all")),
  ),
  after: AFTER,
  limit: LIMIT,
});

const INSPECT = { method: "get", action: "inspect", errors: ["workflow_not_found"] } as const;

/** The routes. */
export const inspectRoutes: readonly Route[] = [
  route({
    ...INSPECT,
    path: "/workflows/:id/history",
    summary: "List the operations of a workflow, with their times and outcomes",
    query: HistoryQuery,
    responses: { 200: { description: "A page, sorted by position", schema: HistoryPageBody } },
  }, async ({ c, parley, workflowId, query }) => {
    const page = await parley.history(workflowId, given(query));
    return answer(c, (show) => ({ ...page, entries: page.entries.map((entry) => toShown(entry, show)) }));
  }),
  route({
    ...INSPECT,
    path: "/workflows/:id/messages",
    summary: "List the messages of a workflow",
    query: MessagesQuery,
    responses: { 200: { description: "A page, in the order of the sends", schema: MessagePageBody } },
  }, async ({ c, parley, workflowId, query }) => {
    const page = await parley.messages(workflowId, given(query));
    return answer(c, (show) => ({ ...page, messages: page.messages.map((message) => toShown(message, show)) }));
  }),
  route({
    ...INSPECT,
    path: "/workflows/:id/events",
    summary: "List the events of a workflow",
    responses: { 200: { description: "The events, sorted by key", schema: v.array(EventInfoBody) } },
  }, async ({ c, parley, workflowId }) => {
    const events = await parley.events(workflowId);
    return answer(c, (show) => events.map((event) => toShown(event, show)));
  }),
  route({
    ...INSPECT,
    path: "/workflows/:id/streams",
    summary: "List the streams of a workflow",
    responses: { 200: { description: "The streams, sorted by key", schema: v.array(StreamInfoBody) } },
  }, async ({ c, parley, workflowId }) => {
    const streams = await parley.streams(workflowId);
    return answer(c, () => streams);
  }),
];

/** An item as the caller sees it. Stacks are left out, because they name the server's files. */
function toShown<Item extends { value?: unknown; error?: SerializedError }>(item: Item, show: Show): object {
  return {
    ...item,
    ...("value" in item && { value: show(item.value) }),
    ...(item.error && { error: show(withoutStack(item.error)) }),
  };
}

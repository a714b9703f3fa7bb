/**
 * Routes that start, show and control workflows.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import type { WorkflowInfo } from "../../core/client.ts";
import type { StandardSchemaV1 } from "../../core/standard_schema.ts";
import { type Workflow, workflow } from "../../core/workflow.ts";
import { answer, type Show } from "../wire/encoding.ts";
import { idempotencyKeyOf, traceOf } from "../wire/request.ts";
import { pathOf } from "../protocol.ts";
import { toSegment } from "../segment.ts";
import { given, type Route, route } from "./route.ts";
import { withoutStack } from "../wire/problem.ts";
import {
  count,
  StartBody,
  StartResult,
  Status,
  WAIT_PARAMETERS,
  waitOf,
  WorkflowInfoBody,
  WorkflowPageBody,
} from "./schemas.ts";

/** The largest instant that a `Date` can have. */
const MAX_INSTANT_MS = 8_640_000_000_000_000;

/** A parameter that is `true` or `false`. */
function flag(description: string) {
  return v.optional(v.pipe(
    v.picklist(["true", "false"]),
    v.description(description),
    v.transform((text) => text === "true"),
  ));
}

const ListQuery = v.object({
  status: v.optional(v.pipe(
    v.string(),
    v.description("Only these statuses, separated by commas. Default all"),
    v.transform((text) => text.split(",")),
    v.array(Status),
  )),
  name: v.optional(v.pipe(v.string(), v.description("Only workflows of this name"))),
  problem: flag("true: only workflows that are parked. Default all"),
  due: flag("true: only workflows that a sweep would find due now. Default all"),
  idPrefix: v.optional(v.pipe(v.string(), v.description("Only workflows whose IDs begin so"))),
  createdAfter: count(0, MAX_INSTANT_MS, "Only workflows created after this instant, in epoch milliseconds"),
  createdBefore: count(0, MAX_INSTANT_MS, "Only workflows created before this instant, in epoch milliseconds"),
  include: v.optional(
    v.pipe(
      v.literal("values"),
      v.description("values: with inputs and outputs, and perhaps fewer workflows in a page. Default without"),
    ),
  ),
  limit: count(1, 1_000, "How many at most. Default 50"),
  cursor: v.optional(v.pipe(v.string(), v.description("The cursor of the page before"))),
});

const WaitQuery = v.object(WAIT_PARAMETERS);

const CONTROL = {
  method: "post",
  isBodyOptional: true,
  responses: { 204: { description: "It was done, or had been before", content: [] } },
  errors: ["workflow_not_found", "workflow_ended"],
} as const;

const LOCATED = { location: "The path of the workflow" };

/** The routes. */
export const workflowRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/workflows",
    action: "start",
    summary: "Start a workflow. If the ID exists, the answer is about that workflow, and nothing runs twice",
    headers: { "idempotency-key": "The workflow's ID, in place of workflowId" },
    body: StartBody,
    responses: {
      201: { description: "It was started", schema: StartResult, headers: LOCATED },
      200: { description: "It existed", schema: StartResult, headers: LOCATED },
    },
    errors: ["unknown_workflow", "workflow_conflict", "value_too_large"],
    concerns: ({ c, body }) => [named(c, body)],
  }, async ({ c, parley, body, toValue }) => {
    const { workflow: name, enqueue, delay, at } = body;
    const workflowId = idempotencyKeyOf(c, body.workflowId, { doing: "Starting a workflow", name: "workflowId" });
    const definition = "checked" in body ? checkedElsewhere(name, toValue(body.checked)) : name;
    const handle = await parley.start(definition, toValue(body.input), {
      ...given({ workflowId, enqueue, delay, at }),
      ...traceOf(c, body.traceparent),
    });
    // Only the path of the request says where the adapter is mounted.
    const location = `${pathOf(c.req.url).replace(/\/$/, "")}/${toSegment(handle.workflowId)}`;
    return answer(c, () => ({ workflowId: handle.workflowId, created: handle.created }), {
      status: handle.created ? 201 : 200,
      headers: { location },
    });
  }),
  route({
    method: "get",
    path: "/workflows",
    action: "list",
    summary: "List workflows, newest first",
    query: ListQuery,
    responses: { 200: { description: "A page", schema: WorkflowPageBody } },
  }, async ({ c, parley, query }) => {
    const page = await parley.list(given(query));
    return answer(c, (show) => ({ ...page, workflows: page.workflows.map((info) => toPublic(info, show)) }));
  }),
  route({
    method: "get",
    path: "/workflows/:id",
    action: "info",
    summary: "Show a workflow",
    errors: ["workflow_not_found"],
    responses: { 200: { description: "The workflow", schema: WorkflowInfoBody } },
  }, async ({ c, parley, workflowId }) => {
    const info = await parley.status(workflowId);
    return answer(c, (show) => toPublic(info, show));
  }),
  route({
    method: "get",
    path: "/workflows/:id/result",
    action: "result",
    summary: "The result of a workflow",
    query: WaitQuery,
    headers: { prefer: "wait=30: how many seconds to wait, in place of the parameter" },
    responses: { 200: { description: "Its result", schema: v.unknown() } },
    errors: ["workflow_not_found", "timeout", "workflow_failed", "workflow_cancelled"],
  }, async ({ c, parley, settings, workflowId, query }) => {
    const wait = waitOf(c, query, settings.maxWaitMs);
    const result = await parley.result(workflowId, { ...wait, signal: c.req.raw.signal });
    return answer(c, (show) => show(result));
  }),
  route({
    ...CONTROL,
    path: "/workflows/:id/cancel",
    action: "cancel",
    summary: "Cancel a workflow: at once if it waits, otherwise at its next operation",
    body: v.optional(v.strictObject({
      children: v.optional(
        v.pipe(v.boolean(), v.description("Whether to cancel the workflows that it has started too, and so on")),
      ),
    })),
  }, async ({ parley, workflowId, body = {} }) => {
    await parley.cancel(workflowId, given(body));
    return new Response(null, { status: 204 });
  }),
  route({
    ...CONTROL,
    path: "/workflows/:id/resume",
    action: "resume",
    summary: "Continue a workflow that failed, was cancelled or used up its recovery attempts",
    body: v.optional(v.strictObject({
      from: v.optional(v.pipe(
        v.number(),
        v.description("The position of the first operation to drop and try again. Default that of the failure"),
      )),
    })),
    errors: [...CONTROL.errors, "workflow_active"],
  }, async ({ parley, workflowId, body = {} }) => {
    await parley.resume(workflowId, given(body));
    return new Response(null, { status: 204 });
  }),
  route({
    method: "delete",
    path: "/workflows/:id",
    action: "delete",
    summary: "Remove a workflow that has ended, with all that is its own",
    responses: { 204: { description: "It is gone", content: [] } },
    errors: ["workflow_not_found", "workflow_active"],
  }, async ({ parley, workflowId }) => {
    await parley.delete(workflowId);
    return new Response(null, { status: 204 });
  }),
];

/**
 * A definition whose schema returns what the caller's schema returned. If this server knows the
 * workflow, the workflow's own schema comes first.
 */
function checkedElsewhere(name: string, value: unknown): Workflow<unknown, unknown> {
  const input: StandardSchemaV1 = { "~standard": { version: 1, vendor: "parley", validate: () => ({ value }) } };
  return workflow(name, () => undefined, { input });
}

/**
 * The ID that a start names. It must be the ID of the workflow that starts, because the caller is
 * authorised for it.
 */
function named(c: Context, body: unknown): { workflowId?: string } {
  const member = typeof body === "object" && body !== null ? Reflect.get(body, "workflowId") : undefined;
  const workflowId = member === undefined ? c.req.header("idempotency-key") : member;
  return typeof workflowId === "string" ? { workflowId } : {};
}

/**
 * A workflow without the stacks of its error and problem, because stacks name the server's files.
 * Errors in the input and the output keep theirs, because they belong to the caller's values.
 */
function toPublic(info: WorkflowInfo, show: Show): Record<string, unknown> {
  const { error, problem } = info;
  return {
    ...info,
    ...("input" in info && { input: show(info.input) }),
    ...("output" in info && { output: show(info.output) }),
    ...(error && { error: show(withoutStack(error)) }),
    ...(problem && { problem: show(withoutStack(problem)) }),
  };
}

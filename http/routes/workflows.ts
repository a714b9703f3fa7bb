/**
 * Routes that start, show and control workflows.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import type { WorkflowInfo } from "../../core/client.ts";
import type { SerializedError } from "../../core/values/serialized_error.ts";
import type { StandardSchemaV1 } from "../../core/standard_schema.ts";
import { type Workflow, workflow } from "../../core/workflow.ts";
import { answer, type Show } from "../wire/encoding.ts";
import { idempotencyKeyOf, traceOf } from "../wire/request_body.ts";
import { pathOf, toSegment } from "../protocol.ts";
import { type Route, route } from "./route.ts";
import { withoutStacks } from "../wire/problem.ts";
import {
  count,
  StartBody,
  StartResult,
  Status,
  waitMs,
  WaitParameter,
  WorkflowInfoBody,
  WorkflowPageBody,
} from "./schemas.ts";

const ListQuery = v.object({
  status: v.optional(v.pipe(
    v.string(),
    v.description("Only these statuses, separated by commas. Default all"),
    v.transform((text) => text.split(",")),
    v.array(Status),
  )),
  name: v.optional(v.pipe(v.string(), v.description("Only workflows of this name"))),
  problem: v.optional(v.pipe(
    v.picklist(["true", "false"]),
    v.description("true: only workflows that are parked. Default all"),
    v.transform((text) => text === "true"),
  )),
  include: v.optional(
    v.pipe(
      v.literal("values"),
      v.description("values: with inputs and outputs, and perhaps fewer workflows in a page. Default without"),
    ),
  ),
  limit: count(1, 1_000, "How many at most. Default 50"),
  cursor: v.optional(v.pipe(v.string(), v.description("The cursor of the page before"))),
});

const WaitQuery = v.object({ wait: WaitParameter });

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
    concerns: ({ c, body }) => [given(c, body)],
  }, async ({ c, parley, body, toValue }) => {
    const { workflow: name, enqueue } = body;
    const workflowId = idempotencyKeyOf(c, body.workflowId, { doing: "Starting a workflow", name: "workflowId" });
    const definition = "checked" in body ? checkedElsewhere(name, toValue(body.checked)) : name;
    const handle = await parley.start(definition, toValue(body.input), {
      ...(workflowId !== undefined && { workflowId }),
      ...(enqueue !== undefined && { enqueue }),
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
  }, async ({ c, parley, query: { status, name, problem, include, limit, cursor } }) => {
    const page = await parley.list({
      ...(status && { status }),
      ...(name !== undefined && { name }),
      ...(problem !== undefined && { problem }),
      ...(include !== undefined && { include }),
      ...(limit !== undefined && { limit }),
      ...(cursor !== undefined && { cursor }),
    });
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
  }, async ({ c, parley, settings, workflowId, query: { wait } }) => {
    const timeout = waitMs(c, wait, settings.maxWaitMs);
    const result = await parley.result(workflowId, { timeout, signal: c.req.raw.signal });
    return answer(c, (show) => show(result));
  }),
  control("cancel", "Cancel a workflow: at once if it waits, otherwise at its next operation"),
  control("resume", "Continue a workflow that was cancelled or used up its recovery attempts"),
];

function control(action: "cancel" | "resume", summary: string): Route {
  const responses = { 204: { description: "It was done, or had been before", content: [] } };
  const errors = ["workflow_not_found", "workflow_ended"] as const;
  return route(
    { method: "post", path: `/workflows/:id/${action}`, action, summary, responses, errors },
    async ({ parley, workflowId }) => {
      await parley[action](workflowId);
      return new Response(null, { status: 204 });
    },
  );
}

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
function given(c: Context, body: unknown): { workflowId?: string } {
  const named = typeof body === "object" && body !== null ? Reflect.get(body, "workflowId") : undefined;
  const workflowId = named === undefined ? c.req.header("idempotency-key") : named;
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

function withoutStack({ stack: _, ...error }: SerializedError): SerializedError {
  return withoutStacks(error);
}

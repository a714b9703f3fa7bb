import assert from "node:assert/strict";
import { HTTPException } from "hono/http-exception";
import * as v from "valibot";
import * as errors from "../../../core/errors.ts";
import { decodeValue } from "../../../http/envelope.ts";
import { isReportable, refusal, toBareResponse, toResponse, withoutStacks } from "../../../http/wire/problem.ts";
import { ProblemBody } from "../../../http/routes/schemas.ts";
import { read, sourceFiles } from "../../project/files.ts";

/** One error of each code, with the status of its answer and the members that it must have. */
const ERRORS: Record<
  errors.ParleyErrorCode,
  { error: errors.ParleyError; status: number; members?: Record<string, unknown> }
> = {
  timeout: {
    error: new errors.TimeoutError('recv "a"', 5),
    status: 408,
    members: { operation: 'recv "a"', timeoutMs: 5 },
  },
  workflow_not_found: { error: new errors.WorkflowNotFoundError("w"), status: 404, members: { workflowId: "w" } },
  workflow_ended: {
    error: new errors.WorkflowEndedError("w", "ERROR"),
    status: 409,
    members: { workflowId: "w", workflowStatus: "ERROR" },
  },
  workflow_active: {
    error: new errors.WorkflowActiveError("w", "PENDING"),
    status: 409,
    members: { workflowId: "w", workflowStatus: "PENDING" },
  },
  workflow_conflict: { error: new errors.WorkflowConflictError("w"), status: 409, members: { workflowId: "w" } },
  unknown_workflow: { error: new errors.UnknownWorkflowError("name"), status: 422, members: { workflow: "name" } },
  workflow_failed: {
    error: new errors.WorkflowFailedError("w", new TypeError("broke")),
    status: 424,
    members: { workflowId: "w", cause: { name: "TypeError", message: "broke" } },
  },
  workflow_cancelled: { error: new errors.WorkflowCancelledError("w"), status: 409, members: { workflowId: "w" } },
  non_determinism: {
    error: new errors.NonDeterminismError("w", { position: 1, expected: "a", actual: "b" }),
    status: 500,
  },
  stream_closed: { error: new errors.StreamClosedError("w", "k"), status: 409, members: { workflowId: "w", key: "k" } },
  version_out_of_range: {
    error: new errors.VersionOutOfRangeError("w", "k", { after: 5, version: 3 }),
    status: 416,
    members: { workflowId: "w", key: "k", after: 5, version: 3 },
  },
  offset_out_of_range: {
    error: new errors.OffsetOutOfRangeError("w", "k", { offset: 5, end: 3 }),
    status: 416,
    members: { workflowId: "w", key: "k", offset: 5, end: 3 },
  },
  invalid_value: {
    error: new errors.ValidationError("bad", [{ message: "no", path: ["a", 0] }]),
    status: 400,
    members: { issues: [{ message: "no", path: ["a", "0"] }] },
  },
  value_too_large: {
    error: new errors.ValueTooLargeError("message", 2, 1),
    status: 413,
    members: { bytes: 2, limit: 1 },
  },
  idempotency_conflict: { error: new errors.IdempotencyConflictError("k"), status: 409, members: { key: "k" } },
  invalid_context: { error: new errors.ContextError("not here"), status: 500 },
  unsupported: { error: new errors.UnsupportedError("not in this store"), status: 501 },
  unreadable_value: {
    error: new errors.UnreadableValueError("output", { at: 3 }),
    status: 500,
    members: { what: "output", at: 3 },
  },
  lease_lost: { error: new errors.LeaseLostError("w"), status: 500 },
  fatal: { error: new errors.FatalError("declined"), status: 500 },
  driver: {
    error: new errors.DriverError("db.internal", { retryable: false, cause: new Error("db.internal") }),
    status: 502,
    members: { retryable: false },
  },
};

Deno.test("every code has its status, its members, and comes back as the same class from the library's own encoding", async () => {
  for (const [code, { error, status, members = {} }] of Object.entries(ERRORS)) {
    const response = toResponse(error, { encoded: true });
    assert.equal(response.status, status, code);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal(response.headers.get("cache-control"), "no-store");
    const problem = v.parse(ProblemBody, await response.json());
    const { detail } = problem;
    assert.deepEqual([problem.type, problem.title, problem.status, problem.code], [
      `urn:parley:error:${code}`,
      error.name,
      status,
      code,
    ]);
    assert.deepEqual(Object.fromEntries(Object.keys(members).map((name) => [name, problem[name]])), members, code);
    const revived = decodeValue(problem.error) as errors.ParleyError;
    assert.equal(revived.constructor, error.constructor, code);
    assert.deepEqual([revived.code, revived.message, revived.stack], [code, detail, undefined]);
    assert.deepEqual({ ...revived }, { ...error });
    assert.equal("error" in await toResponse(error).json(), false);
    // What the owner's client does not support is no fault.
    assert.equal(isReportable(error), status >= 500 && code !== "unsupported", code);
  }
});

Deno.test("a temporary fault of the store is 503, and its words are not shown", async () => {
  const response = toResponse(new errors.DriverError("db.internal", { retryable: true, cause: "db.internal" }), {
    encoded: true,
  });
  assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "1"]);
  assert.doesNotMatch(await response.text(), /internal/);
});

Deno.test("an error of another library is 500 without its words, and an HTTPException stays itself", async () => {
  for (
    const thrown of [
      new Error("secret"),
      "secret",
      null,
      undefined,
      { detail: "secret" },
      new DOMException("secret", "AbortError"),
    ]
  ) {
    const response = toResponse(thrown, { encoded: true });
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
    assert.equal(isReportable(thrown), true);
  }
  const own = new HTTPException(418, { message: "a teapot" });
  assert.deepEqual([toResponse(own).status, await toResponse(own).text(), isReportable(own)], [418, "a teapot", false]);
  assert.equal(toResponse(refusal("forbidden", "no")).status, 403);
});

Deno.test("an HTTPException of another copy of Hono stays itself, and a similar object does not", () => {
  const exception = (fields: object) => Object.assign(new Error("a secret"), fields);
  const other = exception({ status: 403, getResponse: () => new Response("no", { status: 403 }) });
  assert.deepEqual([toResponse(other).status, isReportable(other)], [403, false]);
  for (
    const fields of [{ status: 403 }, { getResponse: () => new Response() }, {
      status: "403",
      getResponse: () => new Response(),
    }]
  ) {
    assert.deepEqual([toResponse(exception(fields)).status, isReportable(exception(fields))], [500, true]);
  }
});

Deno.test("toBareResponse() tells nothing but the code", async () => {
  const response = toBareResponse(new errors.WorkflowNotFoundError("secret"), "none");
  assert.deepEqual(await response.json(), {
    type: "urn:parley:error:workflow_not_found",
    title: "WorkflowNotFoundError",
    status: 404,
    detail: "none",
    code: "workflow_not_found",
  });
});

Deno.test("withoutStacks() takes every stack, however deep, and leaves all else and the original as they were", () => {
  const inner = new RangeError("inner");
  const error = new Error("outer", { cause: new AggregateError([inner, "text"], "several") });
  Object.assign(error, { code: "E", more: { list: [inner] }, self: error, date: new Date(0) });
  const copy = withoutStacks(error) as Error & { more: { list: Error[] }; self: unknown; code: string; date: Date };
  const { cause } = copy as { cause: AggregateError };
  assert.deepEqual([copy.stack, cause.stack, cause.errors[0].stack, copy.more.list[0]?.stack], [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert(cause instanceof AggregateError && cause.errors[0] instanceof RangeError);
  assert.deepEqual([copy.message, copy.code, cause.errors[1], copy.self === copy, copy.date], [
    "outer",
    "E",
    "text",
    true,
    new Date(0),
  ]);
  assert.equal(copy.more.list[0], cause.errors[0]);
  assert.equal(typeof inner.stack, "string");
  assert.deepEqual(Object.keys(copy), Object.keys(error));
});

Deno.test("withoutStacks() does not walk the holes of a list", () => {
  const sparse: unknown[] = [];
  sparse[4e9] = new Error("far away");
  const copy = withoutStacks(Object.assign(new Error("a"), { sparse })) as Error & { sparse: Error[] };
  assert.deepEqual([copy.sparse.length, copy.sparse[4e9]?.stack], [4e9 + 1, undefined]);
});

Deno.test("only problem.ts knows the status of an error", () => {
  const files = sourceFiles().filter((path) =>
    path.startsWith("http/") && !/^http\/(problem|client)\.ts$|^http\/(client|routes)\//.test(path)
  );
  assert(files.length > 10);
  assert.deepEqual(files.filter((path) => /status: [45]\d\d|HTTPException\([45]/.test(read(path))), []);
});

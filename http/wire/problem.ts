/**
 * Errors as answers: problem JSON (RFC 9457). Only this file knows the status of an error.
 *
 * @module
 */

import { HTTPException } from "hono/http-exception";
import { wireCodec } from "../../core/values/codec.ts";
import type { SerializedError } from "../../core/values/serialized_error.ts";
import {
  DriverError,
  ParleyError,
  type ParleyErrorCode,
  ValidationError,
  WorkflowActiveError,
  WorkflowEndedError,
} from "../../core/errors.ts";

/**
 * The statuses for which Hono allows a body. The name of this type differs between versions of
 * Hono.
 */
type ErrorStatus = NonNullable<ConstructorParameters<typeof HTTPException>[0]>;

/**
 * A caller cannot cause a 5xx, except by asking for what the store does not have. Some codes occur only in a workflow's own code, and never come from
 * an operation from outside.
 */
const STATUS: Readonly<Record<ParleyErrorCode, ErrorStatus>> = {
  invalid_value: 400,
  workflow_not_found: 404,
  timeout: 408,
  workflow_ended: 409,
  workflow_active: 409,
  workflow_conflict: 409,
  idempotency_conflict: 409,
  workflow_cancelled: 409,
  stream_closed: 409,
  offset_out_of_range: 416,
  version_out_of_range: 416,
  value_too_large: 413,
  unknown_workflow: 422,
  workflow_failed: 424,
  driver: 502,
  lease_lost: 500,
  fatal: 500,
  non_determinism: 500,
  invalid_context: 500,
  unreadable_value: 500,
  unsupported: 501,
};

/** Codes of HTTP errors, in addition to those of `ParleyError`. */
export type HttpErrorCode =
  | "unauthorized"
  | "forbidden"
  | "no_such_route"
  | "not_acceptable"
  | "body_too_large"
  | "body_too_slow"
  | "unsupported_media_type"
  | "internal";

const HTTP_STATUS: Readonly<Record<HttpErrorCode, ErrorStatus>> = {
  unauthorized: 401,
  forbidden: 403,
  no_such_route: 404,
  not_acceptable: 406,
  body_too_slow: 408,
  body_too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
};

/** The status that nginx and others use for this; HTTP has none. */
const CALLER_GONE = 499;

/** How long a client should wait before it retries after a fault of the store, in seconds. */
const RETRY_AFTER_S = 1;

/** The body of an error: members of RFC 9457 and those of the error. */
export interface Problem {
  /** Which error it is, as a URN. */
  type: string;
  /** The error's name. */
  title: string;
  /** The status of the answer. */
  status: number;
  /** What was being done, the value in question, and what was required. */
  detail: string;
  /** The code of the `ParleyError` or of HTTP. */
  code: ParleyErrorCode | HttpErrorCode;
  /** The issues of a schema. */
  issues?: { message: string; path?: (string | number)[] }[];
  /** Why a workflow failed. */
  cause?: unknown;
  /** The error in the encoding of values, for `connect`. */
  error?: unknown;
  /** The error's own fields, such as `workflowId`. */
  [field: string]: unknown;
}

/** The status of an error, by its code. */
export function statusOf(code: ParleyErrorCode | HttpErrorCode): ErrorStatus {
  return ({ ...STATUS, ...HTTP_STATUS })[code];
}

/** The status of a temporary fault of the store. */
export const TEMPORARY_STATUS = 503;

/** Creates an answer that is an error of HTTP. `fields` adds members to the problem. */
export function refusal(
  code: HttpErrorCode,
  detail: string,
  { headers = {}, fields = {} }: { headers?: Record<string, string>; fields?: Record<string, unknown> } = {},
): HTTPException {
  const status = HTTP_STATUS[code];
  return new HTTPException(status, {
    res: problemResponse({ ...fields, ...head(code, "HttpError", status), detail }, headers),
  });
}

/**
 * The answer for a thrown value.
 *
 * @param error The value, of any kind. An error of another library is not shown, because its
 * content is unknown.
 * @param options `encoded`: whether the caller accepts the library's own encoding.
 */
export function toResponse(error: unknown, { encoded = false }: { encoded?: boolean } = {}): Response {
  if (isHttpException(error)) return error.getResponse();
  if (!(error instanceof ParleyError)) {
    return refusal("internal", "An unexpected error, which the server reported").getResponse();
  }
  const isTemporary = error instanceof DriverError && error.retryable;
  const status = isTemporary ? TEMPORARY_STATUS : STATUS[error.code];
  // The store's own words belong in the server's log only.
  const detail = error instanceof DriverError ? "The store could not do it" : error.message;
  const problem: Problem = { ...fieldsOf(error), ...head(error.code, error.name, status), detail };
  if (encoded) Object.assign(problem, encodedError(error instanceof DriverError ? hidden(error) : error));
  return problemResponse(problem, isTemporary ? { "retry-after": String(RETRY_AFTER_S) } : {});
}

/**
 * The answer for an error of this library, without any data of the error. It is for callers who may
 * not even know an ID. Every fault of the store counts as temporary here, so that the caller
 * retries.
 *
 * @param detail The text that replaces the error's message.
 */
export function toBareResponse(error: ParleyError, detail: string): Response {
  const isFault = error instanceof DriverError;
  const status = isFault ? TEMPORARY_STATUS : STATUS[error.code];
  return problemResponse(
    { ...head(error.code, error.name, status), detail },
    isFault ? { "retry-after": String(RETRY_AFTER_S) } : {},
  );
}

/** Recognises an `HTTPException` by its shape, because the app may use another copy of Hono. */
export function isHttpException(error: unknown): error is HTTPException {
  if (error instanceof HTTPException) return true;
  if (!(error instanceof Error)) return false;
  const { status, getResponse } = error as Partial<HTTPException>;
  return typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599 &&
    typeof getResponse === "function";
}

/** The answer to a caller who has gone away. Only the access log sees it. */
export function goneResponse(): Response {
  return new Response(null, { status: CALLER_GONE });
}

/**
 * Whether to report an error to the server's owner: every error that the caller did not cause. What
 * the owner's client does not support is no fault.
 */
export function isReportable(error: unknown): boolean {
  return !isHttpException(error) &&
    !(error instanceof ParleyError && (STATUS[error.code] < 500 || error.code === "unsupported"));
}

function head(
  code: Problem["code"],
  title: string,
  status: number,
): Pick<Problem, "type" | "title" | "status" | "code"> {
  return { type: `urn:parley:error:${code}`, title, status, code };
}

/**
 * The error in the encoding of values. It is missing if another codec stored an error that this
 * codec does not know.
 */
function encodedError(error: ParleyError): { error?: unknown } {
  try {
    return { error: JSON.parse(wireCodec.encode(withoutStacks(error))) };
  } catch {
    return {};
  }
}

function hidden(error: DriverError): DriverError {
  return new DriverError("The store could not do it", { retryable: error.retryable });
}

function fieldsOf(error: ParleyError): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...error };
  if (error instanceof ValidationError) {
    fields.issues = error.issues.map(({ message, path }) => ({ message, ...(path && { path: path.map(String) }) }));
  }
  // Problem JSON has its own `status`.
  if (error instanceof WorkflowEndedError || error instanceof WorkflowActiveError) fields.workflowStatus = error.status;
  if (error.code === "workflow_failed" && error.cause instanceof Error) {
    fields.cause = { name: nameOf(error.cause), message: error.cause.message };
  }
  return fields;
}

/** The name of an error from the store, which may have anything there. */
function nameOf({ name }: { name: unknown }): string {
  return typeof name === "string" ? name : "Error";
}

function problemResponse(problem: Problem, headers: Record<string, string>): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/**
 * A copy of a value in which no error has a stack, because stacks name the server's files. It looks
 * into causes, the errors of an `AggregateError` and fields, at any depth.
 *
 * @param value An error, or a value that an error holds; any value that the store can keep.
 */
export function withoutStacks<T>(value: T): T {
  return copy(value, new Map()) as T;
}

/** @param copies The copies made so far, because a value may contain a part twice, or itself. */
function copy(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known) return known;
  const empty = emptyCopy(value);
  if (!empty) return value;
  copies.set(value, empty);
  // Only the keys are visited, because a list may have billions of holes.
  for (const key of Reflect.ownKeys(value)) {
    if (key === "stack" && value instanceof Error) continue;
    const { enumerable = true } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    const part = copy(Reflect.get(value, key), copies);
    Object.defineProperty(empty, key, {
      value: part,
      enumerable,
      configurable: !(key === "length" && Array.isArray(value)),
      writable: true,
    });
  }
  return empty;
}

/**
 * An empty object of the same kind; `undefined` if the value is no error, and contains none that
 * the library shows.
 */
function emptyCopy(value: object): object | undefined {
  if (Array.isArray(value)) return [];
  const prototype = Object.getPrototypeOf(value);
  const hasFields = value instanceof Error || prototype === Object.prototype || prototype === null;
  return hasFields ? Object.create(prototype) : undefined;
}

/** An error without its stack and without those of its causes. */
export function withoutStack({ stack: _, ...error }: SerializedError): SerializedError {
  return withoutStacks(error);
}

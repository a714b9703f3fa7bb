/**
 * Webhook receivers: each delivery is verified, validated and sent once.
 *
 * @module
 */

import type { Context, Handler } from "hono";
import { type SendReceipt, type Topic, toTopic } from "../../core/channel.ts";
import { checkName, type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { ParleyError, ValidationError, WorkflowEndedError, WorkflowNotFoundError } from "../../core/errors.ts";
import type { Parley } from "../../core/parley.ts";
import type { StandardSchemaV1 } from "../../core/standard_schema.ts";
import { validate } from "../../core/values/values.ts";
import { type BodyLimits, parseJson, readBytes } from "../wire/request_body.ts";
import { checkBodyLimit } from "../options.ts";
import { isReportable, toBareResponse, toResponse } from "../wire/problem.ts";
import { quietly } from "../quietly.ts";
import { type Delivery, verified, type Verifier } from "./verifier.ts";
import { type WebhookEndpoint, webhookKey } from "./webhook_key.ts";

/**
 * A delivery, in addition to its event.
 *
 * @category Webhooks
 */
export interface WebhookDelivery extends Delivery {
  /** The request's headers. Some providers put the kind of the event there. */
  headers: Headers;
}

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

/**
 * Options of {@linkcode webhook}.
 *
 * @category Webhooks
 */
export interface WebhookOptions<Event> {
  /** The `Parley` that sends the message, or a function that returns one for a request. */
  parley: Parley | ((c: Context) => Parley);
  /**
   * Verifies a delivery: `standardWebhooks(secret)`, `stripe(secret)`, `github(secret)` or a
   * function.
   */
  verify: Verifier;
  /** Validates the body, parsed as JSON. */
  schema?: StandardSchemaV1<unknown, Event>;
  /**
   * Returns the message that an event becomes. With `undefined` there is no message, and the
   * delivery is acknowledged.
   */
  route: (event: Event, delivery: WebhookDelivery) => WebhookMessage | undefined | Promise<WebhookMessage | undefined>;
  /**
   * If the workflow does not exist (yet): `"reject"`, the default, answers 404, so that the
   * provider retries. `"accept"` answers 2xx, so that it stops.
   */
  onUnknown?: "reject" | "accept";
  /**
   * If the workflow has ended: `"accept"`, the default, answers 2xx, so that the provider stops.
   * `"reject"` answers 409.
   */
  onEnded?: "accept" | "reject";
  /**
   * Distinguishes the deliveries of this endpoint from those of others, which may have the same
   * IDs. The default is the path with which the route was registered, such as `/hooks/:shop`. The
   * path of the request makes no difference.
   *
   * Give a name if that path may change while a provider still retries. Also give one if several
   * routes share a secret. Otherwise anybody who has seen a delivery could send it once to each of
   * these routes.
   */
  name?: string;
  /** The largest body, in bytes. Default 2 MiB. */
  bodyLimit?: number;
  /** How long a body may take to arrive; more than 0. Default `"30s"`. */
  bodyTimeout?: Duration;
  /** Receives every error that the provider did not cause. Default `console.error`. */
  onError?: (error: unknown) => void;
}

/**
 * Receives the webhooks of a provider, and sends each to a workflow, once.
 *
 * The answer is 2xx if the message is stored, was stored before, or is not wanted. After any other
 * answer the provider retries. It is 401 if the signature is not valid or not recent, 400 if the
 * schema refuses the event, 413 if the body is too large, and 503 after a fault of the store.
 * Answers contain nothing of the delivery.
 *
 * A message is sent once for each delivery ID, endpoint, workflow and topic, for the life of the
 * workflow.
 *
 * @param options How to verify deliveries, and where to send them.
 * @returns A handler of Hono, for a `POST`.
 * @throws {ValidationError} If an option is not legal.
 *
 * @example Verify, validate, send
 * ```ts
 * import { memoryDriver, Parley, topic } from "@parley/parley";
 * import { standardWebhooks, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 * import * as v from "valibot";
 *
 * const payment = topic<{ paid: boolean }>("payment");
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/webhook",
 *   webhook({
 *     parley,
 *     verify: standardWebhooks("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
 *     schema: v.object({ type: v.string(), data: v.object({ orderId: v.string() }) }),
 *     route: ({ type, data }) => ({
 *       workflowId: data.orderId,
 *       topic: payment,
 *       message: { paid: type === "payment.paid" },
 *     }),
 *   }),
 * );
 * console.log((await app.request("/webhook", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
// deno-lint-ignore no-explicit-any -- without a schema the event is whatever the provider sends
export function webhook<Event = any>(options: WebhookOptions<Event>): Handler {
  const { verify, route, bodyLimit = 2 * 2 ** 20, bodyTimeout = "30s", onError = (error) => console.error(error) } =
    options;
  if (typeof verify !== "function" || typeof route !== "function") {
    throw new ValidationError(
      "Making a webhook: it must have two functions, a verify, such as stripe(secret), and a route",
    );
  }
  checkBodyLimit(bodyLimit);
  const limits = { bytes: bodyLimit, ms: toPositiveMilliseconds(bodyTimeout, "bodyTimeout") };
  const report = quietly(onError);
  return async (c: Context) => {
    try {
      return await receive(c, options, { limits, report });
    } catch (error) {
      if (isReportable(error)) report(error);
      return refused(error);
    }
  };
}

async function receive<Event>(
  c: Context,
  options: WebhookOptions<Event>,
  { limits, report }: { limits: BodyLimits; report: (error: unknown) => void },
): Promise<Response> {
  const { verify, schema, route, parley } = options;
  const body = await readBytes(c, limits, "webhook's body");
  const { id } = await verified({ verify, report }, c.req.raw, body);
  const parsed = parseJson(
    body,
    "Reading the webhook's body: it must be JSON, which some providers only send when they are configured to",
  );
  const event = schema ? await validate(schema, parsed, "webhook's body") : parsed as Event;
  const message = await route(event, { id, headers: c.req.raw.headers });
  if (!message) return acknowledged({ ignored: true });
  // The path of the request does not identify the endpoint. The path is not signed, and a stranger
  // can spell it in many ways.
  const endpoint = options.name === undefined ? { route: c.req.routePath } : { name: options.name };
  const sent = await send(typeof parley === "function" ? parley(c) : parley, message, { endpoint, id }, options);
  return acknowledged(sent ? { duplicate: sent.duplicate } : { ignored: true });
}

/**
 * Sends the message. Returns `undefined` if no workflow can receive it, and the options accept
 * that.
 */
async function send(
  parley: Parley,
  { workflowId, topic = "", message }: WebhookMessage,
  { endpoint, id }: { endpoint: WebhookEndpoint; id: string },
  { onUnknown = "reject", onEnded = "accept" }: Pick<WebhookOptions<never>, "onUnknown" | "onEnded">,
): Promise<SendReceipt | undefined> {
  checkRoute(workflowId, topic);
  try {
    const key = await webhookKey(endpoint, toTopic(topic).name, id);
    return await parley.send(workflowId, message, { topic, idempotencyKey: key });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError && onUnknown === "accept") return undefined;
    if (error instanceof WorkflowEndedError && onEnded === "accept") return undefined;
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

/**
 * Checks where a route sends. Its owner must hear of a workflow ID or a topic that cannot exist.
 */
function checkRoute(workflowId: unknown, topic: WebhookMessage["topic"]): void {
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

function acknowledged(outcome: { duplicate?: boolean; ignored?: boolean }): Response {
  return Response.json({ received: true, ...outcome }, { headers: { "cache-control": "no-store" } });
}

/** Answers with words that contain no ID, because an ID comes from the payload. */
function refused(error: unknown): Response {
  if (error instanceof WorkflowNotFoundError) {
    return toBareResponse(error, "The webhook's workflow does not exist (yet)");
  }
  if (error instanceof WorkflowEndedError) return toBareResponse(error, "The webhook's workflow has ended");
  if (error instanceof ValidationError) return toBareResponse(error, error.message);
  return error instanceof ParleyError
    ? toBareResponse(error, "The webhook could not be sent to a workflow")
    : toResponse(error);
}

/**
 * Webhook receivers: each delivery is verified, validated and sent once.
 *
 * @module
 */

import type { Context, Handler } from "hono";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import {
  ParleyError,
  UnsupportedError,
  ValidationError,
  WorkflowEndedError,
  WorkflowNotFoundError,
} from "../../core/errors.ts";
import type { Client } from "../../core/client.ts";
import type { StandardSchemaV1 } from "../../core/standard_schema.ts";
import { validate } from "../../core/values/values.ts";
import { type BodyLimits, readBytes } from "../wire/request.ts";
import { checkBodyLimit } from "../options.ts";
import { isReportable, toBareResponse, toResponse } from "../wire/problem.ts";
import { quietly } from "../quietly.ts";
import { type Delivery, verified, type Verifier } from "./verifier.ts";
import { deliver, type WebhookMessage } from "./deliver.ts";
import { isWebhookParse, parseEvent, type WebhookParse } from "./parse.ts";

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
 * What the `route` of a webhook returns.
 *
 * @category Webhooks
 */
export type WebhookRouting = WebhookMessage | readonly WebhookMessage[] | undefined;

/**
 * Options of {@linkcode webhook}.
 *
 * @category Webhooks
 */
export interface WebhookOptions<Event> {
  /**
   * The `Parley` that sends the message, or another client. Also a function that returns one for a
   * request. If the client cannot send, the answer is 501.
   */
  parley: Partial<Client> | ((c: Context) => Partial<Client>);
  /**
   * Verifies a delivery: `standardWebhooks(secret)`, `stripe(secret)`, another verifier of a
   * provider, or a function.
   */
  verify: Verifier;
  /** How to read the body. Default `"json"`. */
  parse?: WebhookParse;
  /** Validates the parsed body. */
  schema?: StandardSchemaV1<unknown, Event>;
  /**
   * Returns the message that an event becomes, or a list of messages, which are sent together. With
   * `undefined` or an empty list there is no message, and the delivery is acknowledged.
   */
  route: (event: Event, delivery: WebhookDelivery) => WebhookRouting | Promise<WebhookRouting>;
  /**
   * Returns the answer to a delivery whose messages are stored or not wanted, for providers that
   * expect more than a 2xx: a challenge, or a text for a person. With `undefined`, the answer is the
   * usual acknowledgment.
   */
  respond?: (event: Event, delivery: WebhookDelivery) => Response | undefined | Promise<Response | undefined>;
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
  /**
   * Receives every error that the provider did not cause, and what a verifier throws unless it is
   * about a signature. Default `console.error`.
   */
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
 * A message is sent once for each delivery ID, endpoint, workflow, topic and place in the list that
 * `route` returns, for the life of the workflow.
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
  if (options.parse !== undefined && !isWebhookParse(options.parse)) {
    throw new ValidationError('Making a webhook: its parse must be "json", "form", "payload" or a function');
  }
  if (options.respond !== undefined && typeof options.respond !== "function") {
    throw new ValidationError("Making a webhook: its respond must be a function");
  }
  checkBodyLimit(bodyLimit);
  const limits = { bytes: bodyLimit, ms: toPositiveMilliseconds(bodyTimeout, "bodyTimeout") };
  const report = quietly(onError);
  return async (c: Context) => {
    try {
      return await receive(c, options, { limits, report });
    } catch (error) {
      // A client that cannot send is a mistake of the webhook.
      if (isReportable(error) || error instanceof UnsupportedError) report(error);
      return refused(error);
    }
  };
}

async function receive<Event>(
  c: Context,
  options: WebhookOptions<Event>,
  { limits, report }: { limits: BodyLimits; report: (error: unknown) => void },
): Promise<Response> {
  const { verify, schema, route, parley, parse = "json", respond } = options;
  const body = await readBytes(c, limits, "webhook's body");
  const { id } = await verified({ verify, report }, c, body);
  const { headers } = c.req.raw;
  const parsed = await parseEvent(parse, body, headers);
  const event = schema ? await validate(schema, parsed, "webhook's body") : parsed as Event;
  const routed = await route(event, { id, headers });
  const messages = routed ? [routed].flat() : [];
  // The path of the request does not identify the endpoint. The path is not signed, and a stranger
  // can spell it in many ways.
  const endpoint = options.name === undefined ? { route: c.req.routePath } : { name: options.name };
  const duplicate = messages.length === 0 ? undefined : await deliver(
    typeof parley === "function" ? parley(c) : parley,
    messages,
    { endpoint, id },
    options,
  );
  const answer = await respond?.(event, { id, headers });
  if (answer !== undefined && !(answer instanceof Response)) {
    throw new Error("Answering a webhook: what respond returns must be a Response, or undefined");
  }
  return answer ?? acknowledged(duplicate === undefined ? { ignored: true } : { duplicate });
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

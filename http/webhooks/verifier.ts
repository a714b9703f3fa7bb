/**
 * Verification of webhooks.
 *
 * @module
 */

import type { Context } from "hono";
import type { Clock } from "../../core/time/clock.ts";
import type { Duration } from "../../core/values/checks.ts";
import { ParleyError } from "../../core/errors.ts";
import { toLegalUrl } from "../protocol.ts";
import { isHttpException, isReportable, refusal } from "../wire/problem.ts";

/**
 * A verified delivery.
 *
 * @category Webhooks
 */
export interface Delivery {
  /** Identifies the delivery. A repeated delivery has the same ID. */
  id: string;
}

/**
 * Verifies that a delivery comes from the provider.
 *
 * @param request The request with its headers. Its body can be read once more.
 * @param body The bytes of the body. `String(body)` is their text, for libraries that sign texts.
 * @param c The context of Hono, with the environment of a Worker in `c.env`. Do not read its request's
 * body.
 * @returns The delivery; `undefined` if its signature is not valid or not recent. An error that the
 * verifier throws is also a refusal. It is reported to `onError`, unless its name contains
 * `signature` or `verification`. A `ParleyError` and an `HTTPException` keep their status, and an
 * `HTTPException` is not reported.
 * @category Webhooks
 */
export type Verifier = (
  request: Request,
  body: Uint8Array,
  c: Context,
) => Delivery | undefined | Promise<Delivery | undefined>;

/**
 * Options of verifiers for providers that sign the time.
 *
 * @category Webhooks
 */
export interface VerifierOptions {
  /**
   * How far the time of a signature may be from now. An older delivery may be a replay. Default
   * `"5m"`.
   */
  tolerance?: Duration;
  /** The current time, in epoch milliseconds. Default the wall clock. */
  clock?: Pick<Clock, "now">;
}

/** Names of the errors with which libraries refuse a signature. */
const REFUSAL = /signature|verification/i;

/**
 * Calls the verifier with a new request. The body of the old one has been read, and the verifier
 * may want to read it.
 */
export async function verified(
  { verify, report }: { verify: Verifier; report: (error: unknown) => void },
  c: Context,
  body: Uint8Array<ArrayBuffer>,
): Promise<Delivery> {
  const { url, method, headers } = c.req.raw;
  const request = new Request(toLegalUrl(url), {
    method,
    headers,
    ...(method !== "GET" && method !== "HEAD" && { body: body.slice() }),
  });
  const delivery = await attempt(() => verify(request, readable(body), c), report);
  if (typeof delivery?.id === "string" && delivery.id !== "") return delivery;
  throw refusal("unauthorized", "The webhook must have a valid and recent signature");
}

/**
 * Libraries throw if a signature is not valid. An error with a status of its own keeps that status.
 * Any other error may be a mistake, and is reported to the owner.
 */
async function attempt(
  verify: () => ReturnType<Verifier>,
  report: (error: unknown) => void,
): Promise<Delivery | undefined> {
  try {
    return await verify();
  } catch (error) {
    if (isHttpException(error)) throw error;
    if (error instanceof ParleyError) {
      // Errors with a status of 5xx are reported with the answer.
      if (!isReportable(error)) report(error);
      throw error;
    }
    if (!isSignatureRefusal(error)) report(error);
    return undefined;
  }
}

/**
 * Recognises the error by its name: `WebhookVerificationError` of Svix, Standard Webhooks and
 * Polar, `StripeSignatureVerificationError`. Any stranger can cause it.
 */
function isSignatureRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return [error.name, error.constructor.name, Reflect.get(error, "type")].some((it) =>
    typeof it === "string" && REFUSAL.test(it)
  );
}

/**
 * Bytes whose `toString()` is their text, like Node's `Buffer`. Libraries for webhooks take such
 * bytes, or a text.
 */
function readable(body: Uint8Array): Uint8Array {
  const toString = () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  return Object.defineProperty(body.slice(), "toString", { value: toString });
}

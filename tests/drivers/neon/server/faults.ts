/**
 * What the server answers in place of the truth.
 *
 * @module
 */

import { GATEWAY_ANSWERS, type HttpFault } from "../../../support/http_faults.ts";
import type { Statement } from "./request.ts";

/** A `POST /sql`, as faults see it. */
export interface NeonRequest {
  /** 1 for the first that reached the server. */
  readonly number: number;
  readonly headers: Headers;
  /** Empty if the body could not be read. */
  readonly statements: readonly Statement[];
}

/** A fault in the server or between it and its clients. */
export type NeonFault = HttpFault<NeonRequest>;

/** Answers that are not Neon's truth, by what they pretend. */
export const ANSWERS = {
  /** PostgreSQL could not be reached, or has no room: JSON, as the proxy words it. */
  internalError: () =>
    Response.json({ message: "couldn't connect to compute node", code: "", severity: "" }, { status: 500 }),
  ...GATEWAY_ANSWERS,
  requestTooLarge: () =>
    Response.json({ message: "request is too large (max is 10485760 bytes)", code: "", severity: "" }, { status: 413 }),
  /** Whatever the statement did is done. */
  responseTooLarge: () =>
    Response.json({ message: "response is too large (max is 10485760 bytes)", code: "", severity: "" }, {
      status: 507,
    }),
  tooManyRequests: () =>
    Response.json({ message: "You've exceeded the rate limit", code: "", severity: "" }, { status: 429 }),
} as const satisfies Record<string, () => Response>;

/**
 * Answers that the server gives in place of the real one.
 *
 * @module
 */

import { GATEWAY_ANSWERS, type HttpFault } from "../../../support/http_faults.ts";
import type { Statement } from "./request.ts";

/** A `POST /sql`, in the form that faults get. */
export interface NeonRequest {
  /** 1 for the first request that reached the server. */
  readonly number: number;
  readonly headers: Headers;
  /** Empty if the body could not be read. */
  readonly statements: readonly Statement[];
}

/** A fault in the server or between it and its clients. */
export type NeonFault = HttpFault<NeonRequest>;

/** False answers, by what they pretend. */
export const ANSWERS = {
  /** Says that PostgreSQL cannot be reached or has no room, in the JSON of the proxy. */
  internalError: () =>
    Response.json({ message: "couldn't connect to compute node", code: "", severity: "" }, { status: 500 }),
  ...GATEWAY_ANSWERS,
  requestTooLarge: () =>
    Response.json({ message: "request is too large (max is 10485760 bytes)", code: "", severity: "" }, { status: 413 }),
  /** Loses the answer. The statement was carried out. */
  responseTooLarge: () =>
    Response.json({ message: "response is too large (max is 10485760 bytes)", code: "", severity: "" }, {
      status: 507,
    }),
  tooManyRequests: () =>
    Response.json({ message: "You've exceeded the rate limit", code: "", severity: "" }, { status: 429 }),
} as const satisfies Record<string, () => Response>;

/**
 * Answers of the server in place of real ones.
 *
 * @module
 */

import { GATEWAY_ANSWERS, type HttpFault } from "../../../support/http_faults.ts";
import { failure } from "./answer.ts";
import type { RequestRoute } from "./request.ts";

/** A request for faults and observers. */
export interface UpstashRequest {
  /** 1 for the first that reached the server. */
  readonly number: number;
  readonly route: RequestRoute;
  readonly headers: Headers;
  /**
   * The commands as texts, with their arguments. For an event stream, the command that listens.
   * Empty if the request could not be read.
   */
  readonly commands: readonly (readonly string[])[];
}

/** A fault in the server or between it and its clients. */
export type UpstashFault = HttpFault<UpstashRequest>;

/**
 * False answers, by the state that they pretend. Texts:
 * https://upstash.com/docs/redis/troubleshooting (2026-11).
 */
export const UPSTASH_ANSWERS = {
  ...GATEWAY_ANSWERS,
  /** The client cannot know whether the commands were carried out. */
  internalError: () => failure(500, "internal server error"),
  requestTooLarge: () => failure(413, "ERR max request size exceeded"),
  tooManyRequests: () => failure(429, "ERR max requests per second exceeded"),
  dailyLimit: () => failure(400, "ERR max daily request limit exceeded"),
  capacity: () => failure(400, "ERR DB capacity quota exceeded"),
} as const satisfies Record<string, () => Response>;

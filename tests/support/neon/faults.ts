/**
 * What the server answers in place of the truth.
 *
 * @module
 */

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
export interface NeonFault {
  /** Before the statements are run, which then are not, or after; `"before"` without it. */
  readonly at?: "before" | "after";
  /** Which requests; all without it. */
  readonly matches?: (request: NeonRequest) => boolean;
  /** How many of them; 1 without it. */
  readonly times?: number;
  /** The answer in place of the true one. With none the request goes on: a fault that only takes its time. */
  readonly answer: (request: NeonRequest) => Response | undefined | Promise<Response | undefined>;
}

/** A fault that was asked for. */
export interface FaultHandle extends Disposable {
  /** How many requests it has met. */
  readonly hits: number;
}

/** Answers that are not Neon's truth, by what they pretend. */
export const ANSWERS = {
  /** PostgreSQL could not be reached, or has no room: JSON, as the proxy words it. */
  internalError: () => Response.json({ message: "couldn't connect to compute node", code: "", severity: "" }, { status: 500 }),
  /** A gateway in between gives up: not JSON. */
  badGateway: () => html(502, "Bad Gateway"),
  gatewayTimeout: () => html(504, "Gateway Time-out"),
  requestTooLarge: () =>
    Response.json({ message: "request is too large (max is 10485760 bytes)", code: "", severity: "" }, { status: 413 }),
  /** Whatever the statement did is done. */
  responseTooLarge: () =>
    Response.json({ message: "response is too large (max is 10485760 bytes)", code: "", severity: "" }, { status: 507 }),
  tooManyRequests: () => Response.json({ message: "You've exceeded the rate limit", code: "", severity: "" }, { status: 429 }),
} as const satisfies Record<string, () => Response>;

/** The faults to come, first match first. */
export class Faults {
  readonly #pending: { fault: NeonFault; left: number; hits: number }[] = [];
  readonly #ended = Promise.withResolvers<undefined>();

  add(fault: NeonFault): FaultHandle {
    const entry = { fault, left: fault.times ?? 1, hits: 0 };
    this.#pending.push(entry);
    return {
      get hits() {
        return entry.hits;
      },
      [Symbol.dispose]() {
        entry.left = 0;
      },
    };
  }

  /** Ends those that take their time. */
  end(): void {
    this.#ended.resolve(undefined);
  }

  /** The answer of the first fault that wants this request. */
  async answer(at: "before" | "after", request: NeonRequest): Promise<Response | undefined> {
    const entry = this.#pending.find(({ fault, left }) => left > 0 && (fault.at ?? "before") === at && (fault.matches?.(request) ?? true));
    if (!entry) return undefined;
    entry.left -= 1;
    entry.hits += 1;
    return await Promise.race([entry.fault.answer(request), this.#ended.promise]);
  }
}

function html(status: number, text: string): Response {
  return new Response(`<html><head><title>${status} ${text}</title></head><body><h1>${text}</h1></body></html>`, {
    status,
    headers: { "Content-Type": "text/html" },
  });
}

/**
 * What the local servers answer in place of the truth.
 *
 * @module
 */

/** A fault in a server or between it and its clients. */
export interface HttpFault<Request> {
  /** Before the request is carried out, which then it is not, or after; `"before"` without it. */
  readonly at?: "before" | "after";
  /** Which requests; all without it. */
  readonly matches?: (request: Request) => boolean;
  /** How many of them; 1 without it. */
  readonly times?: number;
  /** The answer in place of the true one. With none the request goes on: a fault that only takes its time. */
  readonly answer: (request: Request) => Response | undefined | Promise<Response | undefined>;
}

/** A fault that was asked for. */
export interface FaultHandle extends Disposable {
  /** How many requests it has met. */
  readonly hits: number;
}

/** Answers of a gateway between a server and its clients: not JSON. */
export const GATEWAY_ANSWERS = {
  badGateway: () => html(502, "Bad Gateway"),
  gatewayTimeout: () => html(504, "Gateway Time-out"),
} as const satisfies Record<string, () => Response>;

/** The faults to come, first match first. */
export class Faults<Request> {
  readonly #pending: { fault: HttpFault<Request>; left: number; hits: number }[] = [];
  readonly #ended = Promise.withResolvers<undefined>();

  add(fault: HttpFault<Request>): FaultHandle {
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
  async answer(at: "before" | "after", request: Request): Promise<Response | undefined> {
    const entry = this.#pending.find(({ fault, left }) =>
      left > 0 && (fault.at ?? "before") === at && (fault.matches?.(request) ?? true)
    );
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

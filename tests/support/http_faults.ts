/**
 * Faults of the local servers: answers in place of the true ones.
 *
 * @module
 */

/** A fault in a server or between it and its clients. */
export interface HttpFault<Request> {
  /**
   * Before the request is carried out, so that it never is, or after. The default is `"before"`.
   */
  readonly at?: "before" | "after";
  /** The requests that meet the fault. The default is all. */
  readonly matches?: (request: Request) => boolean;
  /** How many of them meet it. The default is 1. */
  readonly times?: number;
  /**
   * The answer in place of the true one. Without an answer the request goes on, so that the fault
   * only takes time.
   */
  readonly answer: (request: Request) => Response | undefined | Promise<Response | undefined>;
}

/** A fault of a server. */
export interface FaultHandle extends Disposable {
  /** How many requests have met it. */
  readonly hits: number;
}

/** Answers of a gateway between a server and its clients. They are not JSON. */
export const GATEWAY_ANSWERS = {
  badGateway: () => html(502, "Bad Gateway"),
  gatewayTimeout: () => html(504, "Gateway Time-out"),
} as const satisfies Record<string, () => Response>;

/** The pending faults. The first match wins. */
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

  /** Ends the faults that take their time. */
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

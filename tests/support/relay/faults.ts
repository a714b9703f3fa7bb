/**
 * The faults of a relay, and which request meets which.
 *
 * @module
 */

import type { Ending } from "./socket.ts";

/** What a client sent that a fault can meet. */
export interface RelayRequest {
  /** 1 for the first that the relay read, over all connections. Bytes are counted by themselves. */
  readonly number: number;
  /** 1 for the first connection. */
  readonly connection: number;
  /** A request, an upgrade to a WebSocket, or bytes that the relay does not understand: frames, or PostgreSQL's messages. */
  readonly kind: "http" | "upgrade" | "bytes";
  /** The first line, as `POST /sql HTTP/1.1`; empty for bytes. */
  readonly firstLine: string;
  /** The body, or the bytes. */
  readonly body: Uint8Array;
}

/**
 * When a fault strikes:
 *
 * - `"connect"`: a connection was accepted, and nothing read from it;
 * - `"before"`: the request was read, and nothing of it has reached the target;
 * - `"after"`: the target has answered, and nothing of it has reached the client;
 * - `"head"`, `"body"`: the first half of the answer's head, or the head and the first half of the body, has reached the client.
 *
 * Of bytes, the answer is the next chunk that the target sends, and all of it is body.
 */
export type RelayMoment = "connect" | "before" | "after" | "head" | "body";

/** What a fault does. A black hole swallows everything from then on, and tells nobody; a delay goes on after the time or the promise. */
export type RelayAction =
  | { readonly kind: "cut"; readonly ending?: Ending }
  | { readonly kind: "blackHole" }
  | { readonly kind: "delay"; readonly until: number | Promise<unknown> };

/** A fault. */
export interface RelayFault {
  readonly at: RelayMoment;
  readonly action: RelayAction;
  /** How many requests or connections it meets; 1 without it, `Infinity` for all. */
  readonly times?: number;
  /** Which requests; without it all but the bytes that follow an upgrade. For `"connect"`, only `connection` says something. */
  readonly matches?: (request: RelayRequest) => boolean;
}

/** A fault that has met something, and has yet to strike. */
export interface Strike {
  readonly at: RelayMoment;
  readonly isBlackHole: boolean;
  /** Does what the fault does, for as long as the connection is not cut. The answer: it is to be cut in this way, or goes on. */
  run(isCut: Promise<void>): Promise<Ending | undefined>;
}

/** The faults of one relay. */
export class Faults {
  readonly #maxMs: number;
  readonly #pending: { fault: RelayFault; left: number; hits: number; met: () => void }[] = [];
  readonly #ended = Promise.withResolvers<void>();

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  add(fault: RelayFault) {
    const { promise: met, resolve } = Promise.withResolvers<void>();
    const entry = { fault, left: fault.times ?? 1, hits: 0, met: resolve };
    this.#pending.push(entry);
    return {
      met,
      get hits() {
        return entry.hits;
      },
      [Symbol.dispose]() {
        entry.left = 0;
      },
    };
  }

  /** Ends what goes on, and what is to come. */
  end(): void {
    this.#pending.length = 0;
    this.#ended.resolve();
  }

  /** What is to happen to a new connection, or to a request. */
  find(request: RelayRequest, isNew: boolean, byDefault: boolean): Strike | undefined {
    const entry = this.#pending.find(({ fault, left }) =>
      left > 0 && (fault.at === "connect") === isNew && (fault.matches?.(request) ?? byDefault)
    );
    if (!entry) return undefined;
    entry.left -= 1;
    const { at, action } = entry.fault;
    return {
      at,
      isBlackHole: action.kind === "blackHole",
      run: async (isCut) => {
        entry.hits += 1;
        entry.met();
        return await this.#act(action, isCut);
      },
    };
  }

  /** Waits for the longest that a black hole may last. */
  async blackHole(isCut: Promise<void>): Promise<void> {
    await this.#wait(this.#maxMs, isCut);
  }

  async #act(action: RelayAction, isCut: Promise<void>): Promise<Ending | undefined> {
    if (action.kind === "cut") return action.ending ?? "fin";
    if (action.kind === "delay") return void await this.#wait(action.until, isCut);
    await this.blackHole(isCut);
    return "reset";
  }

  async #wait(until: number | Promise<unknown>, isCut: Promise<void>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, typeof until === "number" ? Math.min(until, this.#maxMs) : this.#maxMs);
    try {
      await Promise.race([late, this.#ended.promise, isCut, ...(typeof until === "number" ? [] : [until])]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * The faults of a relay, and which request meets which.
 *
 * @module
 */

import type { Ending } from "./socket.ts";

/** A request or bytes of a client that a fault can meet. */
export interface RelayRequest {
  /** The number over all connections, from 1. Bytes are counted by themselves. */
  readonly number: number;
  /** The number of the connection, from 1. */
  readonly connection: number;
  /**
   * A request, an upgrade to a WebSocket, or bytes that the relay does not understand: frames, or
   * PostgreSQL's messages.
   */
  readonly kind: "http" | "upgrade" | "bytes";
  /** The first line, such as `POST /sql HTTP/1.1`. Empty for bytes. */
  readonly firstLine: string;
  /** The body, or the bytes. */
  readonly body: Uint8Array;
}

/**
 * When a fault strikes:
 *
 * - `"connect"`: the relay has accepted a connection, and read nothing;
 * - `"before"`: the relay has read the request, and nothing of it has reached the target;
 * - `"after"`: the target has answered, and nothing of it has reached the client;
 * - `"head"`, `"body"`: the first half of the answer's head, or the head and the first half of the
 *   body, has reached the client.
 *
 * The answer to bytes is the next chunk of the target, and all of it is body.
 */
export type RelayMoment = "connect" | "before" | "after" | "head" | "body";

/**
 * The effect of a fault. A black hole swallows everything from then on, and tells nobody. A delay
 * goes on after the time or the promise.
 */
export type RelayAction =
  | { readonly kind: "cut"; readonly ending?: Ending }
  | { readonly kind: "blackHole" }
  | { readonly kind: "delay"; readonly until: number | Promise<unknown> };

/** A fault. */
export interface RelayFault {
  readonly at: RelayMoment;
  readonly action: RelayAction;
  /** How many requests or connections meet it. The default is 1; `Infinity` means all. */
  readonly times?: number;
  /**
   * The requests that meet it. The default is all but the bytes that follow an upgrade. For
   * `"connect"`, only `connection` is set.
   */
  readonly matches?: (request: RelayRequest) => boolean;
}

/** A fault that a request has met, and that has yet to strike. */
export interface Strike {
  readonly at: RelayMoment;
  readonly isBlackHole: boolean;
  /**
   * Carries out the fault while the connection is not cut. Returns how to cut the connection, or
   * that it goes on.
   */
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

  /** Ends the running faults and the pending ones. */
  end(): void {
    this.#pending.length = 0;
    this.#ended.resolve();
  }

  /** The fault for a new connection, or for a request. */
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

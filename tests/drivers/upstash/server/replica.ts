/**
 * Sync tokens, and a replica that answers reads.
 *
 * @module
 */

import { Redis } from "./redis.ts";

/** A port where nobody listens. A replica of it keeps its data, and answers with that. */
const NOWHERE = ["127.0.0.1", "1"] as const;

const LOOK_EVERY_MS = 2;
const CATCH_UP_MS = 5_000;

/**
 * The token of a position in the primary's history. Upstash's token is a counter in base 32 that
 * each write moves. An invalid token counts as no token, because the client's own tests send such.
 */
export function tokenOf(position: number): string {
  return position.toString(32);
}

/** The position of a token; 0 for an invalid token. */
export function positionOf(token: string | null): number {
  return token !== null && /^[0-9a-v]{1,10}$/.test(token) ? Number.parseInt(token, 32) : 0;
}

/**
 * A real replica of the primary. It answers reads, by default with data that is slightly old. While
 * held, it keeps its data until a read has the token of a later write. Then it first catches up
 * with the primary, and is held again.
 */
export class Replica implements Disposable {
  /** How many requests it has answered. */
  reads = 0;
  readonly #redis: Redis;
  readonly #primary: Redis;
  readonly #address: readonly [string, string];
  #held: number | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(redis: Redis, primary: Redis, address: readonly [string, string]) {
    this.#redis = redis;
    this.#primary = primary;
    this.#address = address;
  }

  /** Connects to a replica of the primary. */
  static async connect(url: string, primary: Redis, primaryUrl: string): Promise<Replica> {
    const { hostname, port } = new URL(primaryUrl);
    return new Replica(await Redis.connect(url), primary, [hostname, port || "6379"]);
  }

  /** The connection for reads. */
  get redis(): Redis {
    return this.#redis;
  }

  /** Lets it catch up, then stops its replication. */
  hold(): Promise<void> {
    return this.#next(() => this.#hold());
  }

  /** Lets it follow the primary again, and waits until it has caught up. */
  release(): Promise<void> {
    return this.#next(() => this.#follow());
  }

  /**
   * Waits until the replica has reached this position, or that of the primary. Returns the position
   * that it has reached.
   */
  reach(position: number): Promise<number> {
    return this.#next(async () => {
      if (this.#held === undefined) return await this.#caughtUp(Math.min(position, await this.now()));
      if (position > this.#held) await this.#hold();
      return this.#held;
    });
  }

  /** The primary's position. */
  async now(): Promise<number> {
    return number(await this.#primary.ask("INFO", "replication"), "master_repl_offset");
  }

  [Symbol.dispose](): void {
    this.#redis[Symbol.dispose]();
  }

  async #hold(): Promise<void> {
    await this.#follow();
    this.#held = await this.#position();
    await this.#redis.ask("REPLICAOF", ...NOWHERE);
  }

  async #follow(): Promise<void> {
    this.#held = undefined;
    await this.#redis.ask("REPLICAOF", ...this.#address);
    await this.#caughtUp(await this.now());
  }

  async #caughtUp(position: number): Promise<number> {
    const until = Date.now() + CATCH_UP_MS;
    while (Date.now() < until) {
      const reached = await this.#position();
      if (reached >= position) return reached;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new Error(`The replica did not reach ${position} in ${CATCH_UP_MS} ms`);
  }

  /** -1 while it has no connection to the primary. */
  async #position(): Promise<number> {
    const info = await this.#redis.ask("INFO", "replication");
    return String(info).includes("master_link_status:up") ? number(info, "slave_repl_offset") : -1;
  }

  /** Runs changes one after the other, because another one in between would see half of a change. */
  #next<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }
}

function number(info: unknown, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(String(info))?.[1] ?? -1);
}

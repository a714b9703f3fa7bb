/**
 * Setup for tests of the Upstash driver's keys: drivers over keys of their own, and the content of
 * Redis.
 *
 * @module
 */

import { systemClock } from "../../../../core/time/clock.ts";
import type { Driver } from "../../../../core/driver/driver.ts";
import { openUpstash, type UpstashDriverOptions, type UpstashInternals } from "../../../../drivers/upstash/driver.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import type { UpstashTransport } from "../../../../drivers/upstash/transport/transport.ts";
import { redisUrl } from "./redis_server.ts";
import { Redis } from "../server/redis.ts";
import { startUpstashServer, type UpstashServer } from "../server/mod.ts";
import { keysOf, removeKeys } from "./harness.ts";

const REDIS = await redisUrl();

/** The setup of a test. */
export interface KeyStore {
  readonly server: UpstashServer;
  readonly redis: Redis;
  readonly prefix: string;
  /** A transport without a driver. */
  readonly transport: UpstashTransport;
  /** Opens a driver without push. */
  open(options?: UpstashDriverOptions, internals?: UpstashInternals): Driver;
  /** The keys of the test, without the prefix. */
  keys(): Promise<string[]>;
  /** Moves the store's time. Keys expire by the time of Redis. */
  advance(ms: number): void;
}

/** Registers a test with keys of its own, which are removed after it. */
export function upstashTest(name: string, run: (store: KeyStore) => Promise<void>): void {
  Deno.test(name, async () => {
    let ahead = 0;
    await using server = await startUpstashServer({ redisUrl: REDIS, clock: () => Date.now() + ahead });
    using redis = await Redis.connect(REDIS);
    const prefix = `store:${crypto.randomUUID()}`;
    const keys = async () => (await keysOf(redis, prefix)).map((key) => key.slice(prefix.length + 1));
    try {
      await run({
        ...{ server, redis, prefix, keys },
        transport: openTransport(server, { timeoutMs: 10_000, clock: systemClock }),
        open: (options, internals) => openUpstash(server, { prefix, push: false, ...options }, internals).driver,
        advance: (ms) => void (ahead += ms),
      });
    } finally {
      await removeKeys(redis, prefix);
    }
  });
}

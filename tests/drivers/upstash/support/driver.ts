/**
 * Setup for tests of the Upstash driver under faults: a local Upstash whose time stands still, a
 * relay in front of it, drivers through the relay, and a dump of Redis.
 *
 * @module
 */

import type { Driver } from "../../../../core/driver/driver.ts";
import { type Clock, systemClock } from "../../../../core/time/clock.ts";
import type { PushConnection, PushTiming } from "../../../../drivers/push.ts";
import { openUpstash, type UpstashDriverOptions } from "../../../../drivers/upstash/driver.ts";
import { UPSTASH_TIMING } from "../../../../drivers/upstash/transport/push.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import type { UpstashCredentials } from "../../../../drivers/upstash/transport/transport.ts";
import type { UpstashRedis } from "../../../../drivers/upstash/transport/instance.ts";
import { redisUrl, startRedis } from "./redis_server.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";
import { startUpstashServer, type UpstashServer, type UpstashServerOptions } from "../server/mod.ts";
import { Redis } from "../server/redis.ts";
import { type Dump, dumpKeys, loadScripts, removeKeys } from "./harness.ts";

const REDIS = await redisUrl();

/** Options of {@linkcode DriverSetting.open}. */
export interface DriverOpenOptions extends UpstashDriverOptions {
  /** Default: the URL through the relay and the server's token. */
  readonly redis?: UpstashRedis | UpstashCredentials;
  /** When push opens and closes its connection. Default: the driver's own. */
  readonly timing?: Partial<PushTiming>;
  readonly clock?: Clock;
}

/** The setup of a test. */
export interface DriverSetting {
  readonly server: UpstashServer;
  /** In front of the server. The drivers connect through it. */
  readonly relay: Relay;
  /** A direct connection to Redis. */
  readonly redis: Redis;
  /** A prefix of keys that no other test uses. */
  readonly prefix: string;
  /**
   * Opens a driver, by default without push. The test ends when its push has closed its connection.
   */
  open(options?: DriverOpenOptions): Driver;
  /** Every key under the test's prefix, or another one, with its content. */
  dump(prefix?: string): Promise<Dump>;
  /** Makes the server know, or forget, the scripts. */
  loadScripts(): Promise<void>;
  flushScripts(): Promise<void>;
}

/** Options of {@linkcode upstashDriverTest}. */
export interface TestOptions extends Partial<UpstashServerOptions> {
  /** Whether the test gets a Redis of its own. */
  readonly isAlone?: boolean;
}

/** Registers a test. */
export function upstashDriverTest(
  name: string,
  run: (setting: DriverSetting) => Promise<void>,
  options: TestOptions = {},
): void {
  Deno.test(name, async () => {
    await using stack = new AsyncDisposableStack();
    const url = options.isAlone ? stack.use(await startRedis()).url : REDIS;
    const server = stack.use(await startUpstashServer({ redisUrl: url, ...options }));
    const relay = stack.use(await startRelay({ target: server }));
    const redis = stack.use(await Redis.connect(url));
    const { send } = openTransport(server, { timeoutMs: 10_000, clock: systemClock });
    const opened = new Opened({ url: relay.through(server.url), token: server.token });
    try {
      await run({
        ...{ server, relay, redis, prefix: opened.prefix },
        open: (options) => opened.open(options),
        dump: (prefix = opened.prefix) => dumpKeys(redis, prefix),
        loadScripts: () => loadScripts(server),
        flushScripts: async () => void await send(["SCRIPT", "FLUSH"], "test"),
      });
      await opened.idle();
    } finally {
      for (const prefix of opened.prefixes) await removeKeys(redis, prefix);
    }
  });
}

/** The drivers of a test. */
class Opened {
  readonly prefix = `faults:${crypto.randomUUID()}`;
  readonly prefixes = new Set<string>();
  readonly #pushes: PushConnection[] = [];
  readonly #credentials: UpstashCredentials;

  constructor(credentials: UpstashCredentials) {
    this.#credentials = credentials;
  }

  open(
    { redis = this.#credentials, timing, clock = systemClock, prefix = this.prefix, ...rest }: DriverOpenOptions = {},
  ): Driver {
    const internals = { clock, timing: { ...UPSTASH_TIMING, ...timing } };
    const { driver, push } = openUpstash(redis, { prefix, push: false, ...rest }, internals);
    this.prefixes.add(prefix);
    if (push) this.#pushes.push(push);
    return driver;
  }

  async idle(): Promise<void> {
    await Promise.all(this.#pushes.map(({ idle }) => idle));
  }
}

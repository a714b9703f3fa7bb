/**
 * Setup for tests of the Upstash driver's connections: Redis, a local Upstash, a relay in front of
 * it, and transports through the relay.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Redis, type RedisConfigNodejs } from "@upstash/redis";
import type { PushConnection, PushTiming } from "../../../../drivers/push.ts";
import { UPSTASH_TIMING, upstashPush } from "../../../../drivers/upstash/transport/push.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import type { UpstashCredentials, UpstashTransport } from "../../../../drivers/upstash/transport/transport.ts";
import type { UpstashRedis } from "../../../../drivers/upstash/transport/instance.ts";
import { CountingClock, until } from "../../../support/patience.ts";
import { redisUrl } from "./redis_server.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";
import { startUpstashServer, type UpstashServer, type UpstashServerOptions } from "../server/mod.ts";

export { rejection } from "../../../support/rejection.ts";

/** The URL of the tests' Redis. */
export const REDIS = await redisUrl();

/** Options of {@linkcode TransportSetting.open}. */
export interface TransportOpenOptions {
  /** Default: the URL through the relay and the server's token. */
  readonly redis?: UpstashRedis | UpstashCredentials;
  /** Default: 10,000. */
  readonly timeoutMs?: number;
  /** Default: faster than that of users. */
  readonly timing?: Partial<PushTiming>;
}

/** A transport, and a push over it. */
export interface OpenedTransport extends UpstashTransport {
  readonly push: PushConnection;
  /** What push has reported. */
  readonly reports: readonly string[];
}

/** The setup of a test. */
export interface TransportSetting {
  readonly server: UpstashServer;
  /** In front of the server. The transports connect through it. */
  readonly relay: Relay;
  /** The channel of the pushes, which no other test uses. */
  readonly channel: string;
  /** A key that no other test uses. */
  key(name: string): string;
  /** Opens a transport. The test ends when its push has closed its connection. */
  open(options?: TransportOpenOptions): OpenedTransport;
  /** Publishes a message, without the relay. */
  publish(payload: string): Promise<void>;
  /** A user's own client, with its default settings. */
  client(options?: Partial<RedisConfigNodejs>): Redis;
  /** How many timers the transports and pushes have set. */
  timers(): number;
}

/** Registers a test with a server of its own. */
export function transportTest(
  name: string,
  run: (setting: TransportSetting) => Promise<void>,
  options: Partial<UpstashServerOptions> = {},
): void {
  Deno.test(name, async () => {
    await using server = await startUpstashServer({ redisUrl: REDIS, ...options });
    await using relay = await startRelay({ target: server });
    const clock = new CountingClock();
    const own = `transport:${crypto.randomUUID()}`;
    const [channel, keys, pushes] = [`${own}:push`, new Set<string>(), [] as PushConnection[]];
    const direct = openTransport(server, { timeoutMs: 10_000, clock });
    const key = (name: string) => (keys.add(`${own}:${name}`), `${own}:${name}`);
    const through = { url: relay.through(server.url), token: server.token };
    const open = ({ redis = through, timeoutMs = 10_000, timing }: TransportOpenOptions = {}): OpenedTransport => {
      const reports: string[] = [];
      const report = (problem: string) => void reports.push(problem);
      const transport = openTransport(redis, { timeoutMs, clock });
      const eager = { ...UPSTASH_TIMING, openAfterMs: 0, lingerMs: 0, ...timing };
      const push = upstashPush({ transport, channel, timeoutMs, clock, timing: eager, report });
      pushes.push(push);
      return { ...transport, push, reports };
    };
    const publish = async (payload: string) => void await direct.send(["PUBLISH", channel, payload], "test");
    await run({
      server,
      relay,
      channel,
      key,
      open,
      publish,
      client: (options) => new Redis({ ...through, ...options }),
      timers: () => clock.pending,
    });
    await Promise.all(pushes.map(({ idle }) => idle));
    assert.equal(clock.pending, 0, "timers were left behind");
    if (keys.size > 0) await direct.send(["UNLINK", ...keys], "test");
    await until(() => server.subscriptions.open === 0);
  });
}

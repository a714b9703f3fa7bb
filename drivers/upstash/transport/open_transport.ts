/**
 * Opens the ways to a database at Upstash.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { readRestAddress } from "./address.ts";
import { httpCommands } from "./http.ts";
import { instanceCommands, instanceEvents, type UpstashRedis } from "./instance.ts";
import { httpEvents } from "./subscribe.ts";
import type { TransportOptions, UpstashCredentials, UpstashTransport } from "./transport.ts";

/**
 * Opens both ways, without a request.
 *
 * @param redis A URL and a token, or an instance of `Redis` of `@upstash/redis`, whose settings
 * then apply.
 * @param options The time limit.
 * @throws {ValidationError} If it is neither. The message contains neither a URL nor a token.
 */
export function openTransport(redis: UpstashRedis | UpstashCredentials, options: TransportOptions): UpstashTransport {
  const refused = refusalOf(redis);
  if (refused !== null) throw new ValidationError(`Opening Upstash: ${refused}`);
  if (isInstance(redis)) return { send: instanceCommands(redis, options), subscribe: instanceEvents(redis, options) };
  const address = readRestAddress(redis);
  return { send: httpCommands(address, options), subscribe: httpEvents(address, options) };
}

/** Why a value cannot be used; `null` if a request has to show it. */
function refusalOf(redis: unknown): string | null {
  const wanted = "what is given must be { url, token } or an instance of Redis of @upstash/redis, 1.39 or later";
  if (typeof redis !== "object" || redis === null) return wanted;
  // Clients such as ioredis and node-redis have this. ioredis has an `exec` too, which is another one.
  if (typeof Reflect.get(redis, "sendCommand") === "function") {
    return "this is a client of Redis's own protocol, as ioredis and node-redis are, and the driver needs " +
      `the REST API: ${wanted}`;
  }
  if (!isInstance(redis as UpstashRedis)) return "url" in redis ? null : wanted;
  // In old versions that pipeline by themselves, each read of `exec` makes a new one: that of a
  // pipeline without a command.
  const [first, second] = [1, 2].map(() => Reflect.get(redis, "exec"));
  return first === second ? null : `this version of @upstash/redis cannot send single commands: ${wanted}`;
}

function isInstance(redis: UpstashRedis | UpstashCredentials): redis is UpstashRedis {
  return typeof (redis as Partial<UpstashRedis>).exec === "function" &&
    typeof (redis as Partial<UpstashRedis>).subscribe === "function";
}

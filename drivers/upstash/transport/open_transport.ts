/**
 * Chooses the way to a database at Upstash.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { httpTransport } from "./http.ts";
import { instanceTransport, type UpstashRedis } from "./instance.ts";
import type { TransportOptions, UpstashCredentials, UpstashTransport } from "./transport.ts";

/**
 * Opens a transport, without a request.
 *
 * @param redis A URL and a token, or an instance of `Redis` of `@upstash/redis`.
 * @throws {ValidationError} If it is neither. The message contains neither a URL nor a token.
 */
export function openTransport(redis: UpstashRedis | UpstashCredentials, options: TransportOptions): UpstashTransport {
  const refused = refusalOf(redis);
  if (refused !== null) throw new ValidationError(`Opening Upstash: ${refused}`);
  return isInstance(redis) ? instanceTransport(redis, options) : httpTransport(redis, options);
}

/** Why a value cannot be used; `null` if it looks right, so that only a request can tell. */
function refusalOf(redis: unknown): string | null {
  const wanted = "what is given must be { url, token } or an instance of Redis of @upstash/redis, 1.39 or later";
  if (typeof redis !== "object" || redis === null) return wanted;
  // Clients such as ioredis and node-redis have this. ioredis has an `exec` too, which is another one.
  if (typeof Reflect.get(redis, "sendCommand") === "function") {
    return "this is a client of Redis's own protocol, as ioredis and node-redis are, and the driver needs " +
      `the REST API: ${wanted}`;
  }
  if (!isInstance(redis)) return "url" in redis ? null : wanted;
  // In old versions that pipeline by themselves, each read of `exec` makes a new one: that of a
  // pipeline without a command.
  const [first, second] = [1, 2].map(() => Reflect.get(redis, "exec"));
  return first === second ? null : `this version of @upstash/redis cannot send single commands: ${wanted}`;
}

function isInstance(redis: object): redis is UpstashRedis {
  return ["exec", "subscribe"].every((name) => typeof Reflect.get(redis, name) === "function");
}

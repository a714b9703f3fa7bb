/**
 * Opens the ways to a database at Upstash.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { hiddenValue } from "../../hidden_value.ts";
import { httpCommands, type RestAddress } from "./http.ts";
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
  const address = readAddress(redis);
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
  if (!isInstance(redis)) return "url" in redis ? null : wanted;
  // In old versions that pipeline by themselves, each read of `exec` makes a new one: that of a
  // pipeline without a command.
  const [first, second] = [1, 2].map(() => Reflect.get(redis, "exec"));
  return first === second ? null : `this version of @upstash/redis cannot send single commands: ${wanted}`;
}

function isInstance(redis: object): redis is UpstashRedis {
  return ["exec", "subscribe"].every((name) => typeof Reflect.get(redis, name) === "function");
}

function readAddress({ url: text, token }: UpstashCredentials): RestAddress {
  const url = typeof text === "string" ? URL.parse(text) : null;
  // A user or a query may be a secret that the caller expects to be sent, and fetch refuses a user.
  const isBare = url && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!isBare || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new ValidationError(
      `Reading the url of Upstash, ${hiddenValue(text)}: it must be that of the REST API, https://HOST`,
    );
  }
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    const wanted = "it must be that of the REST API, without spaces or line breaks";
    throw new ValidationError(`Reading the token of Upstash, ${hiddenValue(token)}: ${wanted}`);
  }
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, "")}`,
    headers: { Authorization: `Bearer ${token}` },
  };
}

/**
 * An Upstash server in front of the tests' Redis, the real client, and a relay in between.
 *
 * @module
 */

import { Redis as UpstashClient, type RedisConfigNodejs } from "@upstash/redis";
import { redisUrl } from "../support/redis_server.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";
import { startUpstashServer, type UpstashServer, type UpstashServerOptions } from "../server/mod.ts";

/** The URL of the tests' Redis. */
export const SERVER_REDIS = await redisUrl();

/** The most time of a test, in milliseconds. */
const MAX_MS = 20_000;

/** Options of a request by hand. */
export interface Sending {
  /** Default: `/`. */
  readonly path?: string;
  /** Default: `POST`. */
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Default: that of the server. */
  readonly token?: string;
  readonly signal?: AbortSignal;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- Whatever the JSON is.
  readonly body: any;
  readonly headers: Headers;
}

/** The setup of a test. */
export interface ServerSetting {
  readonly server: UpstashServer;
  /** In front of the server. The client connects through it. */
  readonly relay: Relay;
  /** The real client, which makes one request for each command and repeats none. */
  readonly redis: UpstashClient;
  /** Another client. */
  client(options?: Partial<RedisConfigNodejs>): UpstashClient;
  /** A key or channel that no other test uses. */
  key(name: string): string;
  /** A request by hand, to the server itself, answered with JSON. */
  send(body?: unknown, sending?: Sending): Promise<Answer>;
  /** A request by hand, to the server itself. */
  fetch(body?: unknown, sending?: Sending): Promise<Response>;
}

/** Registers a test with a server of its own. */
export function serverTest(
  name: string,
  run: (setting: ServerSetting) => Promise<void>,
  options: Partial<UpstashServerOptions> = {},
): void {
  Deno.test(name, async () => {
    await using server = await startUpstashServer({ redisUrl: SERVER_REDIS, ...options });
    await using relay = await startRelay({ target: server });
    const prefix = `upstash:${crypto.randomUUID()}`;
    const client = (options: Partial<RedisConfigNodejs> = {}) =>
      clientOf(relay.through(server.url), server.token, options);
    const send = (body?: unknown, sending: Sending = {}) =>
      fetch(new URL(sending.path ?? "/", server.url), initOf(server, body, sending));
    const redis = client();
    const keys = new Set<string>();
    const key = (name: string) => {
      keys.add(`${prefix}:${name}`);
      return `${prefix}:${name}`;
    };
    await bounded(
      run({ server, relay, redis, client, key, fetch: send, send: (...args) => send(...args).then(answered) }),
    );
    if (keys.size > 0) await send(["UNLINK", ...keys]).then(answered);
  });
}

/** The real client, without features that hide requests from a test. */
export function clientOf(url: string, token: string, options: Partial<RedisConfigNodejs> = {}): UpstashClient {
  return new UpstashClient({
    url,
    token,
    retry: { retries: 0 },
    enableAutoPipelining: false,
    enableTelemetry: false,
    ...options,
  });
}

/** Limits the time of a test, because a wait for a missing frame would never end. */
async function bounded(run: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`The test took more than ${MAX_MS} ms`)), MAX_MS);
  await Promise.race([run, late]).finally(() => clearTimeout(timer));
}

/** What a promise rejected with. */
export async function anyRejection(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    (value) => new TypeError(`It did not reject: ${JSON.stringify(value)}`),
    (error) => error,
  );
  if (error instanceof TypeError && error.message.startsWith("It did not reject")) throw error;
  return error;
}

function initOf(
  server: UpstashServer,
  body: unknown,
  { method = "POST", headers, token = server.token, signal }: Sending,
): RequestInit {
  const given = body === undefined || body instanceof Uint8Array || typeof body === "string"
    ? body
    : JSON.stringify(body);
  return {
    method,
    headers: { ...(token === "" ? {} : { Authorization: `Bearer ${token}` }), ...headers },
    ...(given === undefined ? {} : { body: new Blob([given as BlobPart]) }),
    ...(signal ? { signal } : {}),
  };
}

async function answered(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, body: text === "" ? "" : JSON.parse(text), headers: response.headers };
}

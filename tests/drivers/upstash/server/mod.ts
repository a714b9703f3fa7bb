/**
 * A local Upstash: its REST API and its server-sent events, in front of any Redis. It behaves as
 * `wire.md` describes the real one.
 *
 * Not implemented: tokens of ACL users, the limit of a record, and the flag of {@linkcode Scripts}
 * for functions. A failed script keeps its writes, because no driver may count on an undo. Quotas
 * are faults: see {@linkcode UPSTASH_ANSWERS}.
 *
 * The server cannot cut a connection, because a handler of `Deno.serve` does not have it. Put the
 * relay of `../../../support/relay.ts` in front for that.
 *
 * @module
 */

import { type FaultHandle, Faults } from "../../../support/http_faults.ts";
import { failure, listReply, single } from "./answer.ts";
import type { ScriptClock } from "./clock.ts";
import { Commands, notPermitted } from "./commands.ts";
import { type Events, openEvents } from "./events.ts";
import { type Backend, carryOut } from "./execute.ts";
import type { UpstashFault, UpstashRequest } from "./faults.ts";
import { Redis } from "./redis.ts";
import { positionOf, Replica } from "./replica.ts";
import {
  type Format,
  readCommands,
  readFormat,
  readRequestBody,
  RequestError,
  type RequestRoute,
  requestRouteOf,
  requestToken,
} from "./request.ts";
import { bytesOf, type RespCommand, textOf } from "./resp.ts";
import { Scripts } from "./scripts.ts";

export type { FaultHandle } from "../../../support/http_faults.ts";
export { UPSTASH_ANSWERS, type UpstashFault, type UpstashRequest } from "./faults.ts";
export type { Replica } from "./replica.ts";
export type { RequestRoute } from "./request.ts";

/** Options of {@linkcode startUpstashServer}. */
export interface UpstashServerOptions {
  /**
   * The URL of Redis, with the password and the number of the database if needed:
   * `redis://:secret@127.0.0.1:6379/0`.
   */
  readonly redisUrl: string;
  /**
   * The URL of a replica of that Redis. If set, requests that only read go there: see {@linkcode
   * UpstashServer.replica}.
   */
  readonly replicaUrl?: string;
  /** Default: a random one. */
  readonly token?: string;
  /** Default: a random one. */
  readonly readOnlyToken?: string;
  /** The most bytes of a body. Default: 10 MiB. */
  readonly maxRequestBytes?: number;
  /** The time in scripts. Default: that of Redis. */
  readonly clock?: ScriptClock;
  /**
   * Whether everything goes to Redis unchanged, as through a proxy that knows nothing of Upstash.
   * Commands of scripts are not counted then. It cannot be combined with `clock`.
   */
  readonly isProxy?: boolean;
}

/**
 * How many commands were carried out.
 *
 * Upstash bills each command of a pipeline or a transaction. For a script it bills the script and
 * each command that it calls. Sources (2026-11):
 * https://upstash.com/docs/redis/sdks/ratelimit-ts/costs counts `EVAL, GET, GET, INCR` as 4.
 * https://upstash.com/docs/redis/overall/billing counts pipelines so, and says that `INFO`, `PING`
 * and `AUTH` are free.
 */
export interface CommandCounts {
  /** Sent by clients; a script counts as one. */
  readonly sent: number;
  /** Called by scripts. */
  readonly called: number;
  /** The number of billed commands, in a database of one region. */
  readonly billed: number;
}

/** A running server. Disposing it ends every request and event stream. */
export interface UpstashServer extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** The URL for clients: `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly token: string;
  readonly readOnlyToken: string;
  /** How many requests reached the server, by kind, whether or not they succeeded. */
  readonly requests: Readonly<Record<RequestRoute, number>> & { readonly total: number };
  readonly commands: CommandCounts;
  /** Event streams. */
  readonly subscriptions: { readonly opened: number; readonly open: number };
  /** The replica that answers reads, if the server has one. */
  readonly replica: Replica | undefined;
  /** Adds a fault; each request meets the first that matches it. */
  fault(fault: UpstashFault): FaultHandle;
  /** Calls a function for each request, after it was read and before it is carried out. */
  observe(observer: (request: UpstashRequest) => void): Disposable;
  /** Ends all open event streams, as a restart does. */
  endSubscriptions(): void;
}

const DEFAULT_MAX_REQUEST_BYTES = 10 * 1024 * 1024;
const METHODS = new Set(["HEAD", "GET", "POST", "PUT"]);
const ROUTES: readonly RequestRoute[] = [
  "command",
  "path",
  "pipeline",
  "multi-exec",
  "subscribe",
  "psubscribe",
  "monitor",
];
const UNAUTHORIZED = "WRONGPASS invalid or missing auth token. " +
  "See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details.";

/** Starts a server on a free port of 127.0.0.1. */
export async function startUpstashServer(options: UpstashServerOptions): Promise<UpstashServer> {
  const { redisUrl, replicaUrl } = options;
  using opened = new DisposableStack();
  const redis = opened.use(await Redis.connect(redisUrl));
  const replica = replicaUrl === undefined ? undefined : opened.use(await Replica.connect(replicaUrl, redis, redisUrl));
  const counts = { sent: 0, called: 0, billed: 0, writes: 0 };
  const backend = {
    redis,
    replica,
    counts,
    commands: await Commands.of(redis, options),
    scripts: new Scripts(options),
  };
  return new Server(backend, options, opened.move());
}

class Server implements UpstashServer {
  readonly hostname = "127.0.0.1";
  readonly port: number;
  readonly token: string;
  readonly readOnlyToken: string;
  readonly requests = Object.assign(
    Object.fromEntries(ROUTES.map((route) => [route, 0])) as Record<RequestRoute, number>,
    {
      total: 0,
    },
  );
  readonly subscriptions = { opened: 0, open: 0 };
  readonly replica: Replica | undefined;
  readonly #backend: Backend;
  readonly #connections: DisposableStack;
  readonly #redisUrl: string;
  readonly #maxRequestBytes: number;
  readonly #faults = new Faults<UpstashRequest>();
  readonly #observers = new Set<(request: UpstashRequest) => void>();
  readonly #events = new Set<Events>();
  readonly #handling = new Set<Promise<Response>>();
  readonly #stop = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(backend: Backend, options: UpstashServerOptions, connections: DisposableStack) {
    this.#connections = connections;
    this.#backend = backend;
    this.replica = backend.replica;
    this.#redisUrl = options.redisUrl;
    this.token = options.token ?? crypto.randomUUID();
    this.readOnlyToken = options.readOnlyToken ?? crypto.randomUUID();
    this.#maxRequestBytes = options.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES;
    this.#server = Deno.serve(
      { hostname: this.hostname, port: 0, signal: this.#stop.signal, onListen: () => {} },
      (request) => this.#tracked(this.#handle(request)),
    );
    this.port = this.#server.addr.port;
  }

  get url(): string {
    return `http://${this.hostname}:${this.port}`;
  }

  get commands(): CommandCounts {
    return this.#backend.counts;
  }

  fault(fault: UpstashFault): FaultHandle {
    return this.#faults.add(fault);
  }

  observe(observer: (request: UpstashRequest) => void): Disposable {
    const own = (request: UpstashRequest) => observer(request);
    this.#observers.add(own);
    return { [Symbol.dispose]: () => void this.#observers.delete(own) };
  }

  endSubscriptions(): void {
    for (const events of this.#events) events.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#faults.end();
    await Promise.all(this.#handling);
    const ended = [...this.#events].map(({ done }) => done);
    this.endSubscriptions();
    await Promise.all([this.#server.finished, ...ended]);
    this.#connections.dispose();
  }

  /** The open requests, because the server closes whatever they open. */
  async #tracked(handling: Promise<Response>): Promise<Response> {
    this.#handling.add(handling);
    try {
      return await handling;
    } finally {
      this.#handling.delete(handling);
    }
  }

  async #handle(request: Request): Promise<Response> {
    const response = await this.#answer(request).catch((error) =>
      error instanceof RequestError ? failure(error.status, error.message) : failure(500, `${error}`)
    );
    response.headers.set("Access-Control-Allow-Origin", request.headers.get("Origin") ?? "*");
    return response;
  }

  async #answer(request: Request): Promise<Response> {
    if (request.method === "OPTIONS") return preflight();
    if (!METHODS.has(request.method)) return new Response(null, { status: 405 });
    const route = requestRouteOf(request);
    this.requests.total += 1;
    this.requests[route] += 1;
    const seen = { number: this.requests.total, route, headers: request.headers, commands: [] };
    const token = requestToken(request);
    if (token !== this.token && token !== this.readOnlyToken) return failure(401, UNAUTHORIZED);
    const isReadOnly = token === this.readOnlyToken;
    return await (isStream(route) ? this.#stream(request, seen, isReadOnly) : this.#run(request, seen, isReadOnly));
  }

  async #run(request: Request, { route, ...seen }: UpstashRequest, isReadOnly: boolean): Promise<Response> {
    const format = readFormat(request.headers);
    const body = await readRequestBody(request, this.#maxRequestBytes);
    const commands = readCommands(route, new URL(request.url), body);
    const known = { ...seen, route, commands: commands.map((args) => args.map(textOf)) };
    const before = await this.#meet(known);
    if (before) return before;
    const response = await this.#carryOut(commands, route, request.headers, { isReadOnly, format });
    return await this.#faults.answer("after", known) ?? response;
  }

  async #carryOut(
    commands: readonly RespCommand[],
    route: RequestRoute,
    headers: Headers,
    { isReadOnly, format }: { isReadOnly: boolean; format: Format },
  ): Promise<Response> {
    const isAtomic = route === "multi-exec";
    const position = positionOf(headers.get("Upstash-Sync-Token"));
    const { replies, isDiscarded, syncToken } = await carryOut(this.#backend, {
      list: commands,
      isAtomic,
      isReadOnly,
      position,
    });
    const [first] = replies;
    const asJson = { ...format, resp2: false };
    const response = isAtomic && !isDiscarded
      ? listReply(replies, asJson)
      : first && (isDiscarded || route !== "pipeline")
      ? single(first, isAtomic ? asJson : format)
      : listReply(replies, format);
    response.headers.set("Upstash-Sync-Token", syncToken);
    return response;
  }

  async #stream(request: Request, seen: UpstashRequest, isReadOnly: boolean): Promise<Response> {
    const path = new URL(request.url).pathname.slice(1).split("/").map(decodeURIComponent);
    const known = { ...seen, commands: [path] };
    const before = await this.#meet(known);
    if (before) return before;
    const args = path.map(bytesOf);
    if (isReadOnly) return single(notPermitted(args), { base64: false, resp2: false });
    // Several channels in a request are not documented, and no client asks for them.
    if (path.length !== (seen.route === "monitor" ? 1 : 2) || path[1] === "") {
      return failure(400, `ERR wrong number of arguments for '${seen.route}' command`);
    }
    const events = await openEvents(this.#redisUrl, seen.route, args);
    this.#listen(events);
    // If the client has gone in between, nobody reads the stream or cancels it.
    if (request.signal.aborted || this.#stop.signal.aborted) events.end();
    request.signal.addEventListener("abort", () => events.end());
    return await this.#faults.answer("after", known) ?? events.response;
  }

  #listen(events: Events): void {
    this.#events.add(events);
    this.subscriptions.opened += 1;
    this.subscriptions.open += 1;
    void events.done.then(() => {
      this.#events.delete(events);
      this.subscriptions.open -= 1;
    });
  }

  async #meet(request: UpstashRequest): Promise<Response | undefined> {
    for (const observer of this.#observers) observer(request);
    return await this.#faults.answer("before", request);
  }
}

function isStream(route: RequestRoute): boolean {
  return route === "subscribe" || route === "psubscribe" || route === "monitor";
}

function preflight(): Response {
  return new Response(null, {
    headers: {
      "Access-Control-Allow-Methods": [...METHODS].join(", "),
      "Access-Control-Allow-Headers":
        "Authorization, Content-Type, Upstash-Encoding, Upstash-Response-Format, Upstash-Sync-Token",
    },
  });
}

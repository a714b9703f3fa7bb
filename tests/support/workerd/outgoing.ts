/**
 * The way out of a worker. Each of its requests comes through here, is counted, and stays on this
 * machine.
 *
 * @module
 */

/** The requests of one invocation, or of all of them together. */
export interface Count {
  /** How many requests, which Cloudflare calls subrequests. */
  requests: number;
  /**
   * The maximum that waited for the head of an answer at one time, which Cloudflare calls open
   * connections.
   */
  mostWaiting: number;
}

/** See {@linkcode Outgoing.through}. */
const INVOCATION = /^\/-\/([^/]+)/;

const HERE = "127.0.0.1";

/** Counts requests and passes them on. Disposing of it ends those that are under way. */
export class Outgoing implements AsyncDisposable {
  /** Requests whose URLs name no invocation count for the empty name. */
  readonly #counts = new Map<string, Count & { waiting: number }>();
  readonly #hosts = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** Refused requests to other machines. */
  readonly refused: string[] = [];
  /** Answers that have not ended. */
  open = 0;

  constructor() {
    const { signal } = this.#stop;
    this.#server = Deno.serve(
      { hostname: HERE, port: 0, signal, onListen: () => {} },
      (request) => this.#pass(request),
    );
  }

  /** The address to which the worker's runtime sends its requests. */
  get address(): string {
    return `${HERE}:${this.#server.addr.port}`;
  }

  /** Sends requests to a host that does not exist, such as the worker's own, to this origin. */
  route(host: string, origin: string): void {
    this.#hosts.set(host, origin);
  }

  /**
   * The requests of the invocation whose paths begin with `/-/` and this name, or of all together.
   */
  count(invocation?: string): Count {
    const counts = invocation === undefined
      ? [...this.#counts.values()]
      : [this.#counts.get(invocation) ?? { requests: 0, mostWaiting: 0 }];
    return {
      requests: counts.reduce((sum, { requests }) => sum + requests, 0),
      mostWaiting: Math.max(0, ...counts.map(({ mostWaiting }) => mostWaiting)),
    };
  }

  /**
   * The requests of each invocation since the last call of this, in the order of their first
   * requests.
   */
  take(): Count[] {
    const counts = [...this.#counts.values()].map(({ requests, mostWaiting }) => ({ requests, mostWaiting }));
    this.#counts.clear();
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
  }

  async #pass(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const invocation = INVOCATION.exec(url.pathname)?.[1] ?? "";
    url.pathname = url.pathname.replace(INVOCATION, "") || "/";
    const target = new URL(url.pathname + url.search, this.#hosts.get(url.host) ?? url.origin);
    if (target.hostname !== HERE) {
      this.refused.push(url.origin);
      return new Response(null, { status: 502 });
    }
    const response = await this.#counted(invocation, () => forward(request, target, this.#stop.signal));
    return new Response(response.body && this.#watched(response.body), response);
  }

  async #counted<T>(invocation: string, run: () => Promise<T>): Promise<T> {
    const count = this.#counts.get(invocation) ?? { requests: 0, mostWaiting: 0, waiting: 0 };
    this.#counts.set(invocation, count);
    count.requests += 1;
    count.waiting += 1;
    count.mostWaiting = Math.max(count.mostWaiting, count.waiting);
    try {
      return await run();
    } finally {
      count.waiting -= 1;
    }
  }

  #watched(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    this.open += 1;
    const reader = body.getReader();
    let ended = false;
    const end = () => {
      this.open -= ended ? 0 : 1;
      ended = true;
    };
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end();
          controller.close();
        } catch (error) {
          end();
          controller.error(error);
        }
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason).catch(() => {});
      },
    });
  }
}

async function forward({ method, headers, body, signal }: Request, target: URL, stop: AbortSignal): Promise<Response> {
  const own = new Headers(headers);
  for (const name of ["host", "content-length", "connection"]) own.delete(name);
  // Deno would decompress the answer, and leave the header that names the compression.
  own.set("accept-encoding", "identity");
  try {
    const bytes = body && await new Response(body).bytes();
    return await fetch(target, {
      method,
      headers: own,
      body: bytes,
      redirect: "manual",
      signal: AbortSignal.any([signal, stop]),
    });
  } catch {
    return new Response(null, { status: 502 });
  }
}

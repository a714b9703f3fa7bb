/**
 * What the tests' workers need of Cloudflare's types.
 *
 * @module
 */

/** What an invocation is given to outlive its response. */
export interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
  passThroughOnException(): void;
  // deno-lint-ignore no-explicit-any
  props: any;
}

/** A binding that calls a worker. */
export interface Fetcher {
  fetch(url: string, init?: RequestInit): Promise<Response>;
}

/** A binding to a PostgreSQL. */
export interface Hyperdrive {
  readonly connectionString: string;
}

/**
 * Starts the adapter's process, kills it, and starts it again at the same address.
 *
 * @module
 */

import type { NeonDriverOptions } from "../../../drivers/neon/driver.ts";
import { LOCK } from "../../../scripts/deno.ts";
import { KeptProcess } from "../kept.ts";

/** Where the process keeps its workflows. */
export type Store =
  | { readonly kind: "neon"; readonly url: string; readonly options: NeonDriverOptions }
  | { readonly kind: "upstash"; readonly url: string; readonly token: string; readonly options: { prefix: string } };

/** The settings of the process. */
export interface ServerSettings {
  readonly port: number;
  /** The token that allows everything. */
  readonly token: string;
  /** The secret of the scoped tokens and, in base64, of the webhook. */
  readonly secret: string;
  readonly store: Store;
  /** The lease: how long a dead process keeps its workflows. */
  readonly lease: string;
}

/** The only permissions: those that an edge platform gives. */
export const PERMISSIONS = ["--allow-net", "--allow-env", "--no-prompt"];

/**
 * Without this flag, Deno warns once per process about the signals of requests. The adapter works
 * with both settings.
 */
const ABORT = "--unstable-no-legacy-abort";

/**
 * Ports below those that systems give to outgoing connections. An outgoing connection could take
 * one of those while the server is away. It could even be a client of the server, which Linux would
 * then connect to itself.
 */
const PORTS = { from: 20_000, count: 10_000 };

/** A process that serves the adapter: below `/parley`, with a webhook at `/webhook`. */
export class AdapterProcess implements AsyncDisposable {
  readonly settings: ServerSettings;
  #process: KeptProcess | undefined;

  private constructor(settings: ServerSettings) {
    this.settings = settings;
  }

  /** Starts the first one. */
  static async start(store: Store, { lease = "1s" }: { lease?: string } = {}): Promise<AdapterProcess> {
    const [token, secret] = [crypto.randomUUID(), crypto.randomUUID()];
    const server = new AdapterProcess({ port: freePort(), token, secret, store, lease });
    await server.start();
    return server;
  }

  /** The origin, the same over all restarts. */
  get url(): string {
    return `http://127.0.0.1:${this.settings.port}`;
  }

  /** Starts the process, and settles when it serves. Its errors go to those of the tests. */
  async start(): Promise<void> {
    const main = new URL("server.ts", import.meta.url).href;
    const args = ["run", LOCK, "--no-check", ABORT, ...PERMISSIONS, main];
    const env = { SETTINGS: JSON.stringify(this.settings) };
    ({ process: this.#process } = await KeptProcess.start({ command: Deno.execPath(), args, env, ready: /^ready$/m }));
  }

  /** Kills the process as `kill -9` does: it flushes, closes and says nothing. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A port on which nobody listens and that no outgoing connection takes. */
export function freePort(): number {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * PORTS.count);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/**
 * Starts the adapter's process, kills it, and starts it again at the same address.
 *
 * @module
 */

import type { NeonDriverOptions } from "../../../drivers/neon/driver.ts";
import { KeptProcess } from "../kept.ts";

/** Where the process keeps its workflows. */
export type Store =
  | { readonly kind: "neon"; readonly url: string; readonly options: NeonDriverOptions }
  | { readonly kind: "upstash"; readonly url: string; readonly token: string; readonly options: { prefix: string } };

/** What the process is told. */
export interface ServerSettings {
  readonly port: number;
  /** With which everything is allowed. */
  readonly token: string;
  /** Of the scoped tokens and, in base64, of the webhook. */
  readonly secret: string;
  readonly store: Store;
  /** For how long a dead process keeps its workflows. */
  readonly lease: string;
}

/** The one and only permissions: those that an edge platform gives. */
export const PERMISSIONS = ["--allow-net", "--allow-env", "--no-prompt"];

/** Without it Deno warns, once a process, of what it does to the signals of requests; both ways are right for the adapter. */
const ABORT = "--unstable-no-legacy-abort";

/**
 * Below the ports that systems give to outgoing connections. Of those, one could be taken while the server is away: even by a client of the server
 * itself, which Linux then connects to itself.
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

  /** Where it is, the same over all restarts. */
  get url(): string {
    return `http://127.0.0.1:${this.settings.port}`;
  }

  /** Starts it, and settles when it serves. Its errors go to those of the tests. */
  async start(): Promise<void> {
    const main = new URL("server.ts", import.meta.url).href;
    const args = ["run", "--no-check", ABORT, ...PERMISSIONS, main];
    const env = { SETTINGS: JSON.stringify(this.settings) };
    ({ process: this.#process } = await KeptProcess.start({ command: Deno.execPath(), args, env, ready: /^ready$/m }));
  }

  /** Kills it as `kill -9` does: nothing is flushed, closed or said. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A port that nobody listens at, and that no outgoing connection takes. */
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

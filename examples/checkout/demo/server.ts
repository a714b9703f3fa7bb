/**
 * The shop as a process of its own, so that the demo can kill it.
 *
 * @module
 */

/** Starts, kills and restarts one server on one data directory. */
export class ServerProcess implements AsyncDisposable {
  readonly #data: string;
  readonly #secret: string;
  #child: Deno.ChildProcess | undefined;
  #port = "0";

  /**
   * @param data Its directory.
   * @param secret The secret that signs webhooks.
   */
  constructor(data: string, secret: string) {
    this.#data = data;
    this.#secret = secret;
  }

  /** The address of a path. The port stays the same over all restarts. */
  url(path: string): URL {
    return new URL(path, `http://127.0.0.1:${this.#port}`);
  }

  /** Starts the server, and settles when it serves. Its errors go to those of the demo. */
  async start(flags: string[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const permissions = [
      "--allow-net=127.0.0.1",
      "--allow-env=PORT,CHECKOUT_DATA,WEBHOOK_SECRET",
      "--allow-read",
      `--allow-write=${this.#data}`,
    ];
    const main = new URL("../main.ts", import.meta.url).href;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...permissions, main, "--port", this.#port, "--data", this.#data, ...flags],
      env: { WEBHOOK_SECRET: this.#secret },
      stdin: "null",
      stdout: "piped",
      signal,
    }).spawn();
    let printed = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += text;
      const port = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(printed)?.[1];
      if (!port) continue;
      this.#port = port;
      return;
    }
    signal.throwIfAborted();
    throw new Error(`Starting the server: it ended before it served, and printed ${JSON.stringify(printed)}`);
  }

  /** Kills the server as `kill -9` does: it flushes, closes and says nothing. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    try {
      child.kill("SIGKILL");
    } catch {
      // The server is dead already.
    }
    await child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/**
 * A connection to Redis that runs scripts which are written for Upstash, without HTTP.
 *
 * @module
 */

import { createClient, ErrorReply } from "redis";
import { answerError } from "../../../drivers/upstash/transport/failure.ts";

/** One connection. Concurrent commands share a round trip. */
export class Redis implements Disposable {
  readonly #client: ReturnType<typeof createClient>;
  /** The digests of the scripts as Redis knows them, by the digests of those that were sent. */
  readonly #shas = new Map<string, string>();

  private constructor(client: ReturnType<typeof createClient>) {
    this.#client = client;
  }

  /** Connects to a URL such as `redis://:secret@127.0.0.1:6379/0`. */
  static async connect(url: string): Promise<Redis> {
    const client = createClient({ url, socket: { reconnectStrategy: false } });
    // Each command that fails rejects, too.
    client.on("error", () => {});
    await client.connect();
    return new Redis(client);
  }

  /**
   * Sends a command that is written for Upstash. Stock Redis does not know the flag in the scripts'
   * first line, so this removes the flag and translates the scripts' SHA-1 digests.
   */
  readonly send = async (command: readonly string[], call: string): Promise<unknown> => {
    const [name = "", script = "", ...rest] = command;
    if (name === "EVALSHA") return await this.ask([name, this.#shas.get(script) ?? script, ...rest], call);
    if (name !== "EVAL") return await this.ask(command, call);
    const sha = await this.ask(["SCRIPT", "LOAD", script.replace(/^#!lua.*/, "#!lua")], call);
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(script));
    this.#shas.set(new Uint8Array(digest).toHex(), String(sha));
    return await this.ask(["EVALSHA", String(sha), ...rest], call);
  };

  /** Sends a command. */
  async ask(command: readonly string[], call: string = "bench"): Promise<unknown> {
    try {
      return await this.#client.sendCommand([...command]);
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error;
      const bytes = command.reduce((sum, part) => sum + part.length, 0);
      throw answerError(call, { status: 400, text: JSON.stringify({ error: error.message }), bytes });
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}

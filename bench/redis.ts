/**
 * A connection to Redis for benchmarks. It runs scripts that are written for Upstash.
 *
 * @module
 */

import { answerError } from "../drivers/upstash/transport/failure.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection. Concurrent commands share a round trip. */
export class Redis implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #waiting: PromiseWithResolvers<unknown>[] = [];
  readonly #chunk = new Uint8Array(1 << 20);
  #buffered = new Uint8Array();
  #written: Promise<unknown> = Promise.resolve();

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    void this.#read();
  }

  /**
   * Connects with the URL's password and selects the URL's database, as in
   * `redis://:secret@127.0.0.1:6379/0`.
   */
  static async connect(url: string): Promise<Redis> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port || 6379) });
    connection.setNoDelay(true);
    const redis = new Redis(connection);
    if (password !== "") {
      await redis.ask([
        "AUTH",
        ...[username, password].filter((it) => it !== "").map(decodeURIComponent),
      ]);
    }
    if (pathname.length > 1) await redis.ask(["SELECT", pathname.slice(1)]);
    return redis;
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
    const digest = await crypto.subtle.digest("SHA-1", encoder.encode(script));
    this.#shas.set(new Uint8Array(digest).toHex(), String(sha));
    return await this.ask(["EVALSHA", String(sha), ...rest], call);
  };
  readonly #shas = new Map<string, string>();

  /** Sends a command. */
  async ask(command: readonly string[], call: string = "bench"): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.push(waiting);
    const parts = command.map((part) => `$${encoder.encode(part).length}\r\n${part}\r\n`);
    const bytes = encoder.encode(`*${command.length}\r\n${parts.join("")}`);
    this.#written = this.#written.then(() => writeAll(this.#connection, bytes));
    const reply = await waiting.promise;
    if (reply instanceof RedisError) {
      throw answerError(call, { status: 400, text: JSON.stringify({ error: reply.message }), bytes: bytes.length });
    }
    return reply;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #read(): Promise<void> {
    try {
      while (true) {
        const reply = await this.#reply();
        this.#waiting.shift()?.resolve(reply);
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    }
  }

  async #reply(): Promise<unknown> {
    const line = await this.#line();
    const [type, rest] = [line[0], line.slice(1)];
    if (type === "+") return rest;
    if (type === "-") return new RedisError(rest);
    if (type === ":") return Number(rest);
    if (rest === "-1") return null;
    if (type === "$") return decoder.decode((await this.#take(Number(rest) + 2)).subarray(0, -2));
    const items: unknown[] = [];
    for (let index = 0; index < Number(rest); index++) items.push(await this.#reply());
    return items;
  }

  async #line(): Promise<string> {
    let end = this.#buffered.indexOf(13);
    for (; end < 0 || end + 1 >= this.#buffered.length; end = this.#buffered.indexOf(13)) {
      await this.#receive(this.#buffered.length + 1);
    }
    return decoder.decode((await this.#take(end + 2)).subarray(0, -2));
  }

  async #take(length: number): Promise<Uint8Array> {
    if (this.#buffered.length < length) await this.#receive(length);
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #receive(length: number): Promise<void> {
    while (this.#buffered.length < length) {
      const count = await this.#connection.read(this.#chunk);
      if (count === null) throw new Error("Redis closed the connection");
      const joined = new Uint8Array(this.#buffered.length + count);
      joined.set(this.#buffered);
      joined.set(this.#chunk.subarray(0, count), this.#buffered.length);
      this.#buffered = joined;
    }
  }
}

class RedisError extends Error {}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

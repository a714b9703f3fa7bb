/**
 * Connections to Redis.
 *
 * @module
 */

import {
  bytesOf,
  command,
  encodeCommands,
  errorText,
  plainReply,
  type Reply,
  ReplyReader,
  type RespCommand,
} from "./resp.ts";

/** One connection. Redis carries out commands that are sent together without others in between. */
export class Redis implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #reader: ReplyReader;
  readonly #waiting: PromiseWithResolvers<Reply>[] = [];
  #sent: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#reader = new ReplyReader(connection);
  }

  /** Connects to a server, with the password and the database of the URL. */
  static async connect(url: string): Promise<Redis> {
    const connection = await open(url);
    const redis = new Redis(connection);
    void redis.#read();
    try {
      for (const reply of await redis.send(greeting(url))) throwIfError(reply, "Connecting to Redis");
      return redis;
    } catch (error) {
      redis[Symbol.dispose]();
      throw error;
    }
  }

  /** Sends commands in one write. The replies have the same order. */
  async send(commands: readonly RespCommand[]): Promise<Reply[]> {
    if (this.#failure) throw this.#failure;
    const answers = commands.map(() => Promise.withResolvers<Reply>());
    this.#waiting.push(...answers);
    const replies = Promise.all(answers.map(({ promise }) => promise));
    const bytes = encodeCommands(commands);
    this.#sent = this.#sent.then(() => writeAll(this.#connection, bytes)).catch((error) => this.#fail(error));
    return await replies;
  }

  /** Sends one command, and returns its reply as a value. */
  async ask(...args: readonly string[]): Promise<unknown> {
    const [reply] = await this.send([command(...args)]);
    if (!reply) throw new TypeError("A command has a reply");
    return plainReply(throwIfError(reply, args.join(" ")));
  }

  [Symbol.dispose](): void {
    this.#fail(new Error("The connection to Redis was closed"));
  }

  async #read(): Promise<void> {
    try {
      while (true) {
        const reply = await this.#reader.reply();
        this.#waiting.shift()?.resolve(reply);
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#connection.close();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** A connection that only listens, after one command. */
export class Listener implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #reader: ReplyReader;
  #closed = false;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#reader = new ReplyReader(connection);
  }

  static async open(url: string, listen: RespCommand): Promise<Listener> {
    const connection = await open(url);
    const listener = new Listener(connection);
    try {
      const first = greeting(url);
      await writeAll(connection, encodeCommands([...first, listen]));
      for (const _ of first) throwIfError(await listener.#reader.reply(), "Connecting to Redis");
      return listener;
    } catch (error) {
      listener[Symbol.dispose]();
      throw error;
    }
  }

  /** The replies of Redis, until this side closes the connection. */
  async *replies(): AsyncGenerator<Reply> {
    while (!this.#closed) {
      const reply = await this.#reader.reply().catch((error) => {
        if (!this.#closed) throw error;
      });
      if (reply) yield reply;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.#connection.close();
    this.#closed = true;
  }
}

async function open(url: string): Promise<Deno.Conn> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port || 6379) });
  connection.setNoDelay(true);
  return connection;
}

function greeting(url: string): RespCommand[] {
  const { username, password, pathname } = new URL(url);
  const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
  const database = pathname.slice(1);
  return [
    ...(secret === "" ? [] : [command("AUTH", ...(user === "" ? [secret] : [user, secret]))]),
    ...(database === "" ? [] : [command("SELECT", database)]),
    [bytesOf("PING")],
  ];
}

function throwIfError(reply: Reply, asked: string): Reply {
  const text = errorText(reply);
  if (text !== undefined) throw new Error(`${asked}: ${text}`);
  return reply;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

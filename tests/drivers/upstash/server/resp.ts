/**
 * Redis's protocol, version 2: commands and replies, byte by byte.
 *
 * @module
 */

/** Bytes that can be sent. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A command with its arguments. */
export type RespCommand = readonly Bytes[];

/** A reply. Integers are kept as digits: a number would not hold all of them. */
export type Reply =
  | { readonly kind: "status"; readonly text: Bytes }
  | { readonly kind: "error"; readonly text: Bytes }
  | { readonly kind: "integer"; readonly digits: string }
  | { readonly kind: "bulk"; readonly bytes: Bytes | null }
  | { readonly kind: "array"; readonly items: readonly Reply[] | null };

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const CRLF = bytesOf("\r\n");

/** The bytes of a text. */
export function bytesOf(text: string): Bytes {
  return encoder.encode(text);
}

/** The text of bytes. Invalid UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A command of texts. */
export function command(...args: readonly string[]): RespCommand {
  return args.map(bytesOf);
}

/** An error as a reply. */
export function errorReply(text: string): Reply {
  return { kind: "error", text: bytesOf(text) };
}

/** The text of an error; `undefined` for any other reply. */
export function errorText(reply: Reply | undefined): string | undefined {
  return reply?.kind === "error" ? textOf(reply.text) : undefined;
}

/** A reply as a plain value: texts, numbers, arrays and null. */
export function plainReply(reply: Reply): unknown {
  if (reply.kind === "integer") return Number(reply.digits);
  if (reply.kind === "bulk") return reply.bytes && textOf(reply.bytes);
  if (reply.kind === "array") return reply.items && reply.items.map(plainReply);
  return textOf(reply.text);
}

/** The bytes of commands. */
export function encodeCommands(commands: readonly RespCommand[]): Bytes {
  return joined(commands.flatMap((args) => [bytesOf(`*${args.length}\r\n`), ...args.flatMap(bulk)]));
}

/** The bytes of replies, unchanged. */
export function encodeReplies(replies: readonly Reply[]): Bytes {
  return joined(replies.flatMap(partsOf));
}

function partsOf(reply: Reply): Bytes[] {
  if (reply.kind === "status") return [bytesOf("+"), reply.text, CRLF];
  if (reply.kind === "error") return [bytesOf("-"), reply.text, CRLF];
  if (reply.kind === "integer") return [bytesOf(`:${reply.digits}\r\n`)];
  if (reply.kind === "bulk") return reply.bytes ? bulk(reply.bytes) : [bytesOf("$-1\r\n")];
  return reply.items ? [bytesOf(`*${reply.items.length}\r\n`), ...reply.items.flatMap(partsOf)] : [bytesOf("*-1\r\n")];
}

function bulk(bytes: Bytes): Bytes[] {
  return [bytesOf(`$${bytes.length}\r\n`), bytes, CRLF];
}

/** Joins bytes. */
export function joined(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** A source of bytes. */
export interface ReplySource {
  read(buffer: Uint8Array): Promise<number | null>;
}

/** Cuts a stream of bytes into replies. */
export class ReplyReader {
  readonly #source: ReplySource;
  readonly #chunk = new Uint8Array(65_536);
  #buffered: Bytes = new Uint8Array(0);

  constructor(source: ReplySource) {
    this.#source = source;
  }

  /** @throws {Error} At the end of the stream. */
  async reply(): Promise<Reply> {
    const line = await this.#line();
    const [type, rest] = [String.fromCharCode(line[0] ?? 0), line.subarray(1)];
    if (type === "+") return { kind: "status", text: rest };
    if (type === "-") return { kind: "error", text: rest };
    if (type === ":") return { kind: "integer", digits: textOf(rest) };
    const length = Number(textOf(rest));
    if (type === "$") {
      return { kind: "bulk", bytes: length < 0 ? null : (await this.#take(length + 2)).subarray(0, length) };
    }
    if (type !== "*") throw new Error(`Redis said ${JSON.stringify(textOf(line))}`);
    if (length < 0) return { kind: "array", items: null };
    const items: Reply[] = [];
    while (items.length < length) items.push(await this.reply());
    return { kind: "array", items };
  }

  async #line(): Promise<Bytes> {
    let searched = 0;
    while (true) {
      const end = this.#buffered.indexOf(13, searched);
      if (end >= 0 && end + 1 < this.#buffered.length) return (await this.#take(end + 2)).subarray(0, end);
      searched = end >= 0 ? end : this.#buffered.length;
      await this.#receive(this.#buffered.length + 1);
    }
  }

  async #take(length: number): Promise<Bytes> {
    if (this.#buffered.length < length) await this.#receive(length);
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  /** Waits until this many bytes have arrived. */
  async #receive(length: number): Promise<void> {
    const parts: Uint8Array[] = [this.#buffered];
    let received = this.#buffered.length;
    while (received < length) {
      const count = await this.#source.read(this.#chunk);
      if (count === null) throw new Error("Redis closed the connection");
      parts.push(this.#chunk.slice(0, count));
      received += count;
    }
    this.#buffered = joined(parts);
  }
}

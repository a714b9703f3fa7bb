/**
 * The messages of PostgreSQL's protocol 3.0 that the Neon server needs.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One message from PostgreSQL, or from a client that has logged in. */
export interface Message {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Codes in place of a version number, in the first message of a connection. */
export const REQUEST_CODE = { protocol3: 196608, cancel: 80877102, ssl: 80877103, gss: 80877104 } as const;

/** Encodes a text with the zero byte that ends it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return concat([encoder.encode(text), new Uint8Array(1)]);
}

/** Encodes a 16-bit number. */
export function int16(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([value >> 8, value]);
}

/** Encodes a 32-bit number. */
export function int32(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([value >> 24, value >> 16, value >> 8, value]);
}

/** Encodes a value of `Bind`: its length and its text, or -1 for null. */
export function bindValue(value: string | null): Uint8Array<ArrayBuffer> {
  if (value === null) return int32(-1);
  const bytes = encoder.encode(value);
  return concat([int32(bytes.length), bytes]);
}

/** Encodes a message with its type and length. The first message of a connection has no type. */
export function message(type: string, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(parts);
  return concat([encoder.encode(type), int32(body.length + 4), body]);
}

/** Encodes the message that opens a connection. */
export function startupMessage(parameters: ReadonlyMap<string, string>): Uint8Array<ArrayBuffer> {
  return message("", int32(REQUEST_CODE.protocol3), ...[...parameters].flat().map(cString), new Uint8Array(1));
}

/** Encodes an error of the proxy itself. */
export function errorResponse(fields: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const parts = Object.entries(fields).map(([key, value]) => concat([encoder.encode(key), cString(value)]));
  return message("E", ...parts, new Uint8Array(1));
}

/** Joins bytes. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Reads the members of a message in order. */
export class Body {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  int16(): number {
    this.#offset += 2;
    return this.#view.getInt16(this.#offset - 2);
  }

  int32(): number {
    this.#offset += 4;
    return this.#view.getInt32(this.#offset - 4);
  }

  /** An object identifier, which has no sign. */
  oid(): number {
    return this.int32() >>> 0;
  }

  bytes(length: number): Uint8Array {
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  text(length: number): string {
    return decoder.decode(this.bytes(length));
  }

  /** The remaining bytes, as text. */
  rest(): string {
    return this.text(this.#bytes.length - this.#offset);
  }

  cString(): string {
    const text = this.text(this.#bytes.indexOf(0, this.#offset) - this.#offset);
    this.#offset += 1;
    return text;
  }
}

/** A source of bytes: a connection, or the bytes that a WebSocket has received. */
export interface ByteSource {
  read(buffer: Uint8Array): Promise<number | null>;
}

/** Cuts a stream of bytes into messages. */
export class MessageReader {
  readonly #source: ByteSource;
  readonly #chunk = new Uint8Array(65_536);
  #buffered: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The next message, or undefined at the end. */
  async message(): Promise<Message | undefined> {
    if (!await this.#has(5)) return undefined;
    const length = new Body(this.#buffered.subarray(1, 5)).int32() + 1;
    if (!await this.#has(length)) return undefined;
    const [first] = this.#take(1);
    return { type: String.fromCharCode(first ?? 0), body: this.#take(length - 1).subarray(4) };
  }

  /** The next message without a type, which is the first of a connection. */
  async startup(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!await this.#has(4)) return undefined;
    const length = new Body(this.#buffered).int32();
    return await this.#has(length) ? this.#take(length).subarray(4) : undefined;
  }

  /** The bytes that were received and not read yet. */
  rest(): Uint8Array<ArrayBuffer> {
    return this.#take(this.#buffered.length);
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #has(length: number): Promise<boolean> {
    if (this.#buffered.length >= length) return true;
    const parts: Uint8Array[] = [this.#buffered];
    let received = this.#buffered.length;
    while (received < length) {
      const count = await this.#source.read(this.#chunk);
      if (count === null) return false;
      parts.push(this.#chunk.slice(0, count));
      received += count;
    }
    this.#buffered = concat(parts);
    return true;
  }
}

/** Writes all bytes. */
export async function writeAll(
  connection: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

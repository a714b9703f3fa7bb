/**
 * Neon's WebSocket: a pipe of bytes to PostgreSQL. The proxy asks for the password itself, in clear, whatever PostgreSQL asks of the proxy.
 *
 * @module
 */

import { connectFailure, DatabaseError } from "./errors.ts";
import { type Address, cancel, type LoggedIn, logIn, sendCancel } from "./login.ts";
import {
  Body,
  type ByteSource,
  errorResponse,
  int32,
  message,
  MessageReader,
  REQUEST_CODE,
  writeAll,
} from "./messages.ts";

const NO_TLS = new TextEncoder().encode("N");
const CHUNK_BYTES = 65_536;

/** Serves one WebSocket until one side closes. */
export async function serveWebSocket(socket: WebSocket, address: Address): Promise<void> {
  const received = new Received(socket);
  const messages = new MessageReader(received);
  try {
    const session = await logInFor(socket, messages, address);
    if (!session) return;
    const upwards = toPostgres(messages.rest(), received, session.connection);
    const downwards = toClient(session, socket);
    const first = await Promise.race([upwards, downwards]);
    // What a client that goes away leaves behind is cancelled. PostgreSQL would else notice only when the statement is at its end.
    if (first === "client") await cancel(address, session).catch(() => {});
    session.connection.close();
    received.end();
    await Promise.all([upwards, downwards]);
  } finally {
    await received.closed();
  }
}

/** What a WebSocket receives, to be read. A text frame is an error, and the end. */
class Received implements ByteSource {
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return this.end();
      this.#chunks.push(new Uint8Array(data));
      this.#wake();
    };
    socket.onclose = () => {
      this.end();
      this.#closed.resolve();
    };
    socket.onerror = () => this.end();
  }

  /** Reads no more, what has not been read included. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Closes the WebSocket, and waits for that. */
  async closed(): Promise<void> {
    this.end();
    this.#socket.close();
    await this.#closed.promise;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0 && !this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
    const chunk = this.#chunks.shift();
    if (!chunk || this.#ended) return null;
    const part = chunk.subarray(0, buffer.length);
    if (part.length < chunk.length) this.#chunks.unshift(chunk.subarray(part.length));
    buffer.set(part);
    return part.length;
  }
}

async function logInFor(socket: WebSocket, messages: MessageReader, address: Address): Promise<LoggedIn | undefined> {
  const parameters = await startupParameters(socket, messages, address);
  if (!parameters) return undefined;
  send(socket, message("R", int32(3)));
  const answer = await messages.message();
  if (answer?.type !== "p") return undefined;
  try {
    const session = await logIn(address, parameters, new Body(answer.body).cString());
    send(socket, session.greeting);
    return session;
  } catch (error) {
    send(socket, refusal(error, parameters.get("user") ?? ""));
    return undefined;
  }
}

/** Reads what comes before the login; undefined if no session is wanted. */
async function startupParameters(
  socket: WebSocket,
  messages: MessageReader,
  address: Address,
): Promise<Map<string, string> | undefined> {
  while (true) {
    const bytes = await messages.startup();
    if (!bytes) return undefined;
    const body = new Body(bytes);
    const code = body.int32();
    if (code === REQUEST_CODE.protocol3) return readParameters(body);
    if (code === REQUEST_CODE.cancel) return void await sendCancel(address, bytes);
    if (code !== REQUEST_CODE.ssl && code !== REQUEST_CODE.gss) return undefined;
    send(socket, NO_TLS);
  }
}

function readParameters(body: Body): Map<string, string> {
  const parameters = new Map<string, string>();
  for (let key = body.cString(); key !== ""; key = body.cString()) parameters.set(key, body.cString());
  return parameters;
}

/** The proxy's own errors have SQLSTATE XX000; PostgreSQL's are passed on as they are. */
function refusal(error: unknown, user: string): Uint8Array<ArrayBuffer> {
  const failure = connectFailure(error, user);
  const known = failure instanceof DatabaseError ? failure.members : undefined;
  const severity = known?.severity ?? "ERROR";
  return errorResponse({ S: severity, V: severity, C: known?.code ?? "XX000", M: failure.message });
}

async function toPostgres(first: Uint8Array, received: Received, connection: Deno.TcpConn): Promise<"client"> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  try {
    await writeAll(connection, first);
    for (let count = await received.read(buffer); count !== null; count = await received.read(buffer)) {
      await writeAll(connection, buffer.subarray(0, count));
    }
  } catch {
    // PostgreSQL has closed the connection: its last words are on their way to the client, which then goes.
    while (await received.read(buffer) !== null);
  }
  return "client";
}

async function toClient({ connection }: LoggedIn, socket: WebSocket): Promise<"PostgreSQL"> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  try {
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      send(socket, buffer.slice(0, count));
    }
  } catch {
    // The connection was reset, or closed from this side: to the client, this is its end.
  }
  return "PostgreSQL";
}

function send(socket: WebSocket, bytes: Uint8Array<ArrayBuffer>): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
}

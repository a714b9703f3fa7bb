/**
 * Neon's WebSocket: a pipe of bytes to PostgreSQL. The proxy itself asks the client for the
 * password in clear text, whatever PostgreSQL asks the proxy for.
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
    // The statement of a client that goes away is cancelled. Otherwise PostgreSQL would notice only
    // at the end of the statement.
    if (first === "client") await cancel(address, session).catch(() => {});
    session.connection.close();
    received.end();
    await Promise.all([upwards, downwards]);
  } finally {
    await received.closed();
  }
}

/** The bytes that a WebSocket receives. A text frame is an error and ends the stream. */
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

  /** Ends the stream. Bytes that were not read yet are dropped. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Closes the WebSocket, and waits until it is closed. */
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

/** Reads the messages before the login. Returns undefined if the client wants no session. */
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

/**
 * Sends an error. The proxy's own errors have the SQLSTATE XX000, and PostgreSQL's errors are
 * forwarded unchanged.
 */
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
    // PostgreSQL has closed the connection. Its last messages are on their way to the client, which
    // then closes.
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
    // The connection was reset, or closed from this side. For the client this is the end.
  }
  return "PostgreSQL";
}

function send(socket: WebSocket, bytes: Uint8Array<ArrayBuffer>): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
}

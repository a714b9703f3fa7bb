/**
 * Opens a connection to PostgreSQL with one of the logins that test servers use: none, a password
 * in clear text, SCRAM.
 *
 * @module
 */

import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import {
  Body,
  concat,
  cString,
  int32,
  type Message,
  message,
  MessageReader,
  REQUEST_CODE,
  startupMessage,
  writeAll,
} from "./messages.ts";
import { DatabaseError, databaseError } from "./errors.ts";

/** A PostgreSQL server. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** A connection that has logged in. */
export interface LoggedIn {
  readonly connection: Deno.TcpConn;
  readonly reader: MessageReader;
  /** The messages of PostgreSQL after the login, up to and including its first `ReadyForQuery`. */
  readonly greeting: Uint8Array<ArrayBuffer>;
  /** Identifies this session in a `CancelRequest`. */
  readonly cancelKey: Uint8Array;
}

/**
 * Connects and logs in.
 *
 * @throws {DatabaseError} If PostgreSQL refused.
 */
export async function logIn(
  address: Address,
  parameters: ReadonlyMap<string, string>,
  password: string,
): Promise<LoggedIn> {
  const connection = await Deno.connect({ ...address, transport: "tcp" });
  try {
    const reader = new MessageReader(connection);
    await writeAll(connection, startupMessage(parameters));
    await authenticate(connection, reader, password);
    return { connection, reader, ...await readGreeting(reader) };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Asks PostgreSQL over another connection to cancel the statement of a session. */
export async function cancel(address: Address, { cancelKey }: LoggedIn): Promise<void> {
  await sendCancel(address, concat([int32(REQUEST_CODE.cancel), cancelKey]));
}

/** Sends a `CancelRequest` as it was received. */
export async function sendCancel(address: Address, request: Uint8Array): Promise<void> {
  using connection = await Deno.connect({ ...address, transport: "tcp" });
  await writeAll(connection, message("", request));
  await connection.read(new Uint8Array(1)); // PostgreSQL closes the connection after it has forwarded the request.
}

async function authenticate(connection: Deno.TcpConn, reader: MessageReader, password: string): Promise<void> {
  let scram: Scram | undefined;
  while (true) {
    const body = new Body(await expected(reader, "R"));
    const method = body.int32();
    if (method === 0) return;
    if (method === 3) await writeAll(connection, message("p", cString(password)));
    else if (method === 10) await writeAll(connection, (scram = new Scram(password)).first());
    else if (method === 11 && scram) await writeAll(connection, scram.final(body.rest()));
    else if (method !== 12) {
      throw new Error(`PostgreSQL asks for authentication method ${method}; use trust, password or scram-sha-256`);
    }
  }
}

async function readGreeting(reader: MessageReader): Promise<Pick<LoggedIn, "greeting" | "cancelKey">> {
  const greeting: Uint8Array[] = [message("R", int32(0))];
  let cancelKey = new Uint8Array(0);
  while (true) {
    const { type, body } = await next(reader);
    if (type === "K") cancelKey = body;
    greeting.push(message(type, body));
    if (type === "Z") return { greeting: concat(greeting), cancelKey };
  }
}

async function expected(reader: MessageReader, type: string): Promise<Uint8Array> {
  while (true) {
    const it = await next(reader);
    if (it.type === type) return it.body;
  }
}

async function next(reader: MessageReader): Promise<Message> {
  const it = await reader.message();
  if (!it) throw new Error("PostgreSQL closed the connection during login");
  if (it.type === "E") throw new DatabaseError(databaseError(it.body));
  return it;
}

/**
 * SCRAM-SHA-256 without channel binding (RFC 5802). It does not check the server's signature,
 * because the tests start the server.
 */
class Scram {
  readonly #nonce = randomBytes(18).toString("base64");
  readonly #password: string;

  constructor(password: string) {
    this.#password = password;
  }

  first(): Uint8Array {
    const text = new TextEncoder().encode(`n,,${this.#bare}`);
    return message("p", cString("SCRAM-SHA-256"), int32(text.length), text);
  }

  final(challenge: string): Uint8Array {
    const { r: nonce = "", s: salt = "", i: iterations = "" } = Object.fromEntries(
      challenge.split(",").map((it) => [it[0], it.slice(2)]),
    );
    const salted = pbkdf2Sync(this.#password.normalize("NFKC"), atobBytes(salt), Number(iterations), 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${nonce}`;
    const signature = hmac(
      createHash("sha256").update(clientKey).digest(),
      `${this.#bare},${challenge},${withoutProof}`,
    );
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    return message("p", new TextEncoder().encode(`${withoutProof},p=${btoa(String.fromCharCode(...proof))}`));
  }

  get #bare(): string {
    return `n=,r=${this.#nonce}`;
  }
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text).digest();
}

function atobBytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * A client of PostgreSQL that sends the messages which Neon's proxy sends for a statement over
 * HTTP.
 *
 * @module
 */

import { type Address, cancel, type LoggedIn, logIn } from "./login.ts";
import { bindValue, Body, concat, cString, int16, int32, message, writeAll } from "./messages.ts";
import { DatabaseError, databaseError, ProxyError } from "./errors.ts";

/** A column of a result, with the members that Neon sends. */
export interface Field {
  readonly name: string;
  readonly dataTypeID: number;
  readonly tableID: number;
  readonly columnID: number;
  readonly dataTypeSize: number;
  readonly dataTypeModifier: number;
  readonly format: "text";
}

/** The result of a statement. Values are texts of PostgreSQL. */
export interface Result {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** The command tag, as `INSERT 0 1`; empty for an empty statement. */
  readonly tag: string;
  /** How many bytes the rows had. */
  readonly bytes: number;
}

/** The user and the database of a connection. */
export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const SYNC = message("S");
const FLUSH = message("H");
const EXECUTE = message("E", cString(""), int32(0));
const DESCRIBE = message("D", new TextEncoder().encode("S"), cString(""));
const UNSUPPORTED = "GHW";

/** One session. It serves one statement at a time. */
export class Client {
  readonly #address: Address;
  readonly #session: LoggedIn;
  #closed = false;

  private constructor(address: Address, session: LoggedIn) {
    this.#address = address;
    this.#session = session;
  }

  /**
   * Connects with a user and a database only. Over HTTP, Neon ignores the other parameters of the
   * connection string.
   */
  static async connect(address: Address, { user, password, database }: Login): Promise<Client> {
    return new Client(address, await logIn(address, new Map(Object.entries({ user, database })), password));
  }

  /**
   * Runs one statement: `Parse`, `Describe`, `Flush`, then `Bind`, `Execute`, `Sync`, with
   * parameters and results as text.
   *
   * @param maxBytes The most bytes of all rows.
   * @throws {DatabaseError} If PostgreSQL refused it.
   * @throws {ProxyError} If the rows have more bytes. The connection is closed, and the statement
   * may have been carried out.
   */
  async query(sql: string, params: readonly (string | null)[], maxBytes: number): Promise<Result> {
    if (sql.includes("\0")) {
      throw new ProxyError(400, "error encoding message to server: string contains embedded null");
    }
    await this.#send(message("P", cString(""), cString(sql), int16(0)), DESCRIBE, FLUSH);
    const fields = await this.#description();
    const bind = message(
      "B",
      cString(""),
      cString(""),
      int16(0),
      int16(params.length),
      ...params.map(bindValue),
      int16(0),
    );
    await this.#send(bind, EXECUTE, SYNC);
    return { fields, ...await this.#rows(maxBytes) };
  }

  /** Runs statements without parameters or results, as one simple query. */
  async run(sql: string): Promise<void> {
    await this.#send(message("Q", cString(sql)));
    await this.#rows(Infinity);
  }

  /** Asks PostgreSQL over another connection to cancel the statement of this session. */
  async cancel(): Promise<void> {
    await cancel(this.#address, this.#session);
  }

  /** Ends the session, even during a statement. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.connection.close();
  }

  /** Whether the session was ended from this side. */
  get closed(): boolean {
    return this.#closed;
  }

  async #send(...messages: readonly Uint8Array[]): Promise<void> {
    await writeAll(this.#session.connection, concat(messages));
  }

  async #description(): Promise<Field[]> {
    while (true) {
      const { type, body } = await this.#next();
      if (type === "T") return readFields(new Body(body));
      if (type === "n") return [];
      if (type === "E") await this.#fail(body);
    }
  }

  async #fail(body: Uint8Array): Promise<never> {
    const error = new DatabaseError(databaseError(body));
    if (error.members.severity === "FATAL") this.close();
    else await this.#send(SYNC).then(() => this.#rows(Infinity));
    throw error;
  }

  /** Reads up to `ReadyForQuery`. */
  async #rows(maxBytes: number): Promise<Omit<Result, "fields">> {
    const rows: (string | null)[][] = [];
    let [tag, bytes] = ["", 0];
    let error: DatabaseError | undefined;
    while (true) {
      const { type, body } = await this.#next(error);
      if (type === "D") rows.push(readRow(new Body(body)));
      else if (type === "C") tag = new Body(body).cString();
      else if (type === "E") error = new DatabaseError(databaseError(body));
      else if (UNSUPPORTED.includes(type)) this.#refuse(400, "unexpected message from server");
      else if (type === "Z") break;
      if (type === "D") bytes += body.length;
      if (bytes > maxBytes) this.#refuse(507, `response is too large (max is ${maxBytes} bytes)`);
    }
    if (error) throw error;
    return { rows, tag, bytes };
  }

  #refuse(status: number, text: string): never {
    this.close();
    throw new ProxyError(status, text);
  }

  async #next(error?: DatabaseError) {
    const it = await this.#session.reader.message().catch(() => undefined);
    if (it) return it;
    this.close();
    throw error ?? new ProxyError(400, "connection closed");
  }
}

function readFields(body: Body): Field[] {
  return Array.from({ length: body.int16() }, () => {
    const [name, tableID, columnID, dataTypeID] = [body.cString(), body.oid(), body.int16(), body.oid()];
    const [dataTypeSize, dataTypeModifier] = [body.int16(), body.int32()];
    body.int16(); // The format, which is unknown before Bind.
    return { name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier, format: "text" };
  });
}

function readRow(body: Body): (string | null)[] {
  return Array.from({ length: body.int16() }, () => {
    const length = body.int32();
    return length < 0 ? null : body.text(length);
  });
}

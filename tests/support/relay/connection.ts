/**
 * One connection through a relay.
 *
 * @module
 */

import type { Faults, RelayRequest, Strike } from "./faults.ts";
import { join, readHead, readRequestBody, readResponseBody, type Sink } from "./http.ts";
import { type Ending, open, type Side } from "./socket.ts";

/** The part of a relay that a connection needs. */
export interface ConnectionOptions {
  readonly client: Side;
  readonly number: number;
  readonly target: { readonly hostname: string; readonly port: number };
  readonly protocol: "http" | "tcp";
  readonly faults: Faults;
  /** The number of the next request, or of the next bytes. */
  readonly nextNumber: (kind: RelayRequest["kind"]) => number;
}

/** A request, with its bytes. */
interface Incoming extends RelayRequest {
  readonly raw: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** A fault cuts the connection. */
class Cut extends Error {
  readonly ending: Ending;

  constructor(ending: Ending) {
    super(`Cut with ${ending}`);
    this.ending = ending;
  }
}

/** A client's connection, with its connection to the target. */
export class Connection {
  /** Settles when both are gone. */
  readonly done: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #client: Side;
  readonly #isCut = Promise.withResolvers<void>();
  #target: Side | undefined;
  #isIdle = false;
  #isFaulty = false;
  #thawed: Promise<void> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#client = options.client;
    this.done = this.#serve();
  }

  async cut(ending: Ending): Promise<void> {
    this.#isCut.resolve();
    await Promise.all([this.#client.close(ending), this.#target?.close(ending)]);
    await this.done;
  }

  /** Lets nothing pass any more. The relay cuts the connection after its longest time. */
  freeze(): void {
    this.#thawed ??= this.#options.faults.blackHole(this.#isCut.promise).then(() => {
      this.#client.close("reset");
      this.#target?.close("reset");
    });
  }

  async #serve(): Promise<void> {
    const { number, protocol, faults } = this.#options;
    let ending: Ending = "fin";
    try {
      const opened: RelayRequest = { number: 0, connection: number, kind: "bytes", firstLine: "", body: NOTHING };
      await this.#strike(faults.find(opened, true, true), "connect");
      if (protocol === "tcp") await this.#tunnel();
      else await this.#http();
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      ending = error.ending;
    } finally {
      await Promise.all([this.#client.close(ending), this.#target?.close()]);
    }
  }

  async #http(): Promise<void> {
    for (let request = await this.#request(); request; request = await this.#request()) {
      const fault = this.#options.faults.find(request, false, true);
      this.#isFaulty = fault !== undefined;
      await this.#strike(fault, "before");
      const target = await this.#connect();
      if (!target) return;
      await this.#toTarget(target, request.raw);
      if (!await this.#answer(target, request, fault)) return;
    }
  }

  async #request(): Promise<Incoming | undefined> {
    const parts: Uint8Array[] = [];
    this.#isIdle = true;
    const head = await readHead(this.#client, (bytes) => void parts.push(bytes));
    this.#isIdle = false;
    const bodyAt = parts.length;
    if (!head || !await readRequestBody(this.#client, head, (bytes) => void parts.push(bytes))) return undefined;
    const kind = head.headers.has("upgrade") ? "upgrade" : "http";
    const body = join(parts.slice(bodyAt));
    const { number: connection, nextNumber } = this.#options;
    return { number: nextNumber(kind), connection, kind, firstLine: head.firstLine, body, raw: join(parts) };
  }

  /** Passes the target's answer on. True if the connection can be used again. */
  async #answer(target: Side, request: Incoming, fault: Strike | undefined): Promise<boolean> {
    const withheld: Uint8Array[] = [];
    const sink: Sink = fault ? (bytes) => void withheld.push(bytes) : (bytes) => this.#toClient(bytes);
    const head = await readHead(target, sink);
    if (!head) return false;
    const isUpgraded = head.firstLine.startsWith("HTTP/1.1 101");
    const method = request.firstLine.split(" ")[0] ?? "";
    const reusable = isUpgraded || await readResponseBody(target, head, method, sink);
    await this.#release(withheld, fault);
    if (isUpgraded) await this.#tunnel();
    return reusable && !isUpgraded;
  }

  /** Sends an answer that a fault has held back, or the part that the fault lets through. */
  async #release([head = NOTHING, ...body]: readonly Uint8Array[], fault: Strike | undefined): Promise<void> {
    await this.#strike(fault, "after");
    await this.#halves(head, fault, "head");
    await this.#halves(join(body), fault, "body");
  }

  async #halves(bytes: Uint8Array, fault: Strike | undefined, at: "head" | "body"): Promise<void> {
    const middle = fault?.at === at ? bytes.length >> 1 : 0;
    if (middle > 0) await this.#toClient(bytes.subarray(0, middle));
    await this.#strike(fault, at);
    if (middle < bytes.length) await this.#toClient(bytes.subarray(middle));
  }

  /** Relays bytes both ways. */
  async #tunnel(): Promise<void> {
    const target = await this.#connect();
    if (!target) return;
    const struck: Strike[] = [];
    await Promise.all([this.#upwards(target, struck), this.#downwards(target, struck)]);
  }

  async #upwards(target: Side, struck: Strike[]): Promise<void> {
    const { faults, number: connection, nextNumber, protocol } = this.#options;
    for (let body = await this.#client.read(); body; body = await this.#client.read()) {
      const request: RelayRequest = { number: nextNumber("bytes"), connection, kind: "bytes", firstLine: "", body };
      const fault = faults.find(request, false, protocol === "tcp");
      await this.#strike(fault, "before");
      if (fault && fault.at !== "before") struck.push(fault);
      await this.#toTarget(target, body);
    }
    await this.#thawed;
    target.end();
  }

  async #downwards(target: Side, struck: Strike[]): Promise<void> {
    for (let bytes = await target.read(); bytes; bytes = await target.read()) {
      await this.#release([NOTHING, bytes], struck.shift());
    }
    await this.#thawed;
    this.#client.end();
  }

  async #connect(): Promise<Side | undefined> {
    if (this.#target) return this.#target;
    const target = this.#target = await open(this.#options.target);
    // Once a fault is at work, the target does not notice that a client goes away, because the
    // request is on its way.
    if (this.#options.protocol === "http") {
      this.#client.ended.then(() => {
        if (!this.#isFaulty && !this.#thawed) target?.close();
      });
    }
    // If the target closes a connection between two requests, the relay closes it for the client
    // too.
    target?.ended.then(() => {
      if (this.#isIdle && !this.#thawed) this.#client.end();
    });
    return target;
  }

  async #toTarget(target: Side, bytes: Uint8Array): Promise<void> {
    await this.#thawed;
    await target.write(bytes);
  }

  async #toClient(bytes: Uint8Array): Promise<void> {
    await this.#thawed;
    await this.#client.write(bytes);
  }

  async #strike(fault: Strike | undefined, at: Strike["at"]): Promise<void> {
    if (fault?.at !== at) return;
    if (fault.isBlackHole) this.freeze();
    const ending = await fault.run(this.#isCut.promise);
    if (ending) throw new Cut(ending);
  }
}

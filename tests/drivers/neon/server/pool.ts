/**
 * Neon's pool. Requests with the same login use the same sessions, which keep no state between
 * requests.
 *
 * @module
 */

import { Client, type Login } from "./client.ts";
import type { Address } from "./login.ts";

/** The statement that Neon's proxy runs before a session returns to the pool. */
const RESET = `ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *;
  SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;`;

/** Sessions by login. When the maximum is reached, requests wait for their turn. */
export class Pool implements Disposable {
  readonly #address: Address;
  readonly #max: number;
  readonly #idle: { key: string; client: Client }[] = [];
  readonly #clients = new Set<Client>();
  readonly #turns: (() => void)[] = [];
  #taken = 0;
  #disposed = false;

  constructor(address: Address, max: number) {
    this.#address = address;
    this.#max = max;
  }

  /** Returns a session of the pool, or a new one. {@linkcode Pool.release} gives it back. */
  async acquire(login: Login): Promise<Client> {
    if (this.#taken >= this.#max) await new Promise<void>((resolve) => this.#turns.push(resolve));
    else this.#taken += 1;
    try {
      return this.#reuse(keyOf(login)) ?? await this.#connect(login);
    } catch (error) {
      this.#passOn();
      throw error;
    }
  }

  /**
   * Takes a session back, and resets and keeps it. It is closed if the reset fails or `reusable` is
   * false.
   */
  async release(client: Client, login: Login, reusable: boolean): Promise<void> {
    if (reusable && !client.closed && await client.run(RESET).then(() => true, () => false) && !this.#disposed) {
      this.#idle.push({ key: keyOf(login), client });
    } else this.#drop(client);
    this.#passOn();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const client of this.#clients) client.close();
  }

  /** The session that was used last: its plans and functions are warm. */
  #reuse(key: string): Client | undefined {
    const index = this.#idle.findLastIndex((it) => it.key === key);
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0]?.client;
  }

  async #connect(login: Login): Promise<Client> {
    if (this.#taken + this.#idle.length > this.#max) this.#drop(this.#idle.shift()?.client);
    const client = await Client.connect(this.#address, login);
    this.#clients.add(client);
    if (this.#disposed) this.#drop(client);
    return client;
  }

  #drop(client: Client | undefined): void {
    client?.close();
    if (client) this.#clients.delete(client);
  }

  #passOn(): void {
    const turn = this.#turns.shift();
    if (turn) turn();
    else this.#taken -= 1;
  }
}

function keyOf({ user, password, database }: Login): string {
  return JSON.stringify([user, password, database]);
}

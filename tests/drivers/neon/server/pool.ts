/**
 * Neon's pool: sessions are used again by requests with the same login, and hold no state in between.
 *
 * @module
 */

import { Client, type Login } from "./client.ts";
import type { Address } from "./login.ts";

/** What Neon's proxy runs before a session goes back to the pool. */
const RESET = `ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *;
  SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;`;

/** Sessions by login. At most so many at a time; who comes when all are taken waits for its turn. */
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

  /** A session of the pool, or a new one. Give it back with {@linkcode Pool.release}. */
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

  /** Takes a session back: it is reset and kept, or closed if that fails or `reusable` is false. */
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

  #reuse(key: string): Client | undefined {
    const index = this.#idle.findIndex((it) => it.key === key);
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

/**
 * The books of the outside world: each effect, and how often it was asked for. They are a file of
 * their own, so that they share neither a transaction nor a fault with the store of the workflows,
 * like the books of a payment provider.
 *
 * @module
 */

export type Kind = "session" | "charge" | "shipment";

/**
 * One line of the books: a call. The first call with a key takes effect, and later ones get its
 * result.
 */
export interface Entry {
  kind: Kind;
  key: string;
  /** The same for all calls with one key. */
  id: string;
  orderId: string;
  cents?: number;
  returnUrl?: string;
}

/**
 * How often an effect happened for an order, how often it was asked for, and for how much money.
 */
export interface Tally {
  effects: number;
  attempts: number;
  cents: number;
}

/** Books that survive a `SIGKILL`, because each line is in the file before its call is answered. */
export class Ledger {
  readonly #path: string | undefined;
  readonly #entries: Entry[] = [];

  /**
   * @param path A file of JSON lines, which need not exist. Without it, the books are in memory.
   */
  constructor(path?: string) {
    this.#path = path;
    const lines = path === undefined ? "" : readIfThere(path);
    // A kill can cut a line short before its call is answered, so that call did not happen.
    // Complete lines end with `}`.
    for (const line of lines.split("\n")) if (line.endsWith("}")) this.#entries.push(JSON.parse(line));
  }

  /** Makes the effect of a key, unless it has happened before. */
  record(call: Omit<Entry, "id">): Entry {
    const id = this.#entries.find(({ key }) => key === call.key)?.id ??
      `${call.kind}_${crypto.randomUUID().slice(0, 13)}`;
    const entry = { ...call, id };
    if (this.#path !== undefined) Deno.writeTextFileSync(this.#path, "\n" + JSON.stringify(entry), { append: true });
    this.#entries.push(entry);
    return entry;
  }

  /** The effects under an ID. */
  find(id: string): Entry | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  /** Counts by keys, so that two keys for one order show as a double effect. */
  tally(orderId: string, kind: Kind): Tally {
    const calls = this.#entries.filter((entry) => entry.orderId === orderId && entry.kind === kind);
    const effects = new Map(calls.map((entry) => [entry.key, entry.cents ?? 0]));
    return {
      effects: effects.size,
      attempts: calls.length,
      cents: [...effects.values()].reduce((sum, cents) => sum + cents, 0),
    };
  }
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/**
 * The books of the outside world: what was done, and how often it was asked for. They are a file of their own, so that they do not share
 * a transaction, or a fault, with the store of the workflows; just as a payment provider's books do not.
 *
 * @module
 */

export type Kind = "session" | "charge" | "shipment";

/** One line of the books: a call. The first call with a key takes effect, and the later ones are told what came of it. */
export interface Entry {
  kind: Kind;
  key: string;
  /** The same for all calls with one key. */
  id: string;
  orderId: string;
  cents?: number;
  returnUrl?: string;
}

/** How often something was done for an order, how often it was asked for, and for how much money. */
export interface Tally {
  effects: number;
  attempts: number;
  cents: number;
}

/** Books that survive a `SIGKILL`: each line is in the file before the call that it is about is answered. */
export class Ledger {
  readonly #path: string | undefined;
  readonly #entries: Entry[] = [];

  /** @param path A file of JSON lines, which need not exist. None: the books are kept in memory. */
  constructor(path?: string) {
    this.#path = path;
    const lines = path === undefined ? "" : readIfThere(path);
    // A line that a kill cut short was never answered for, so it did not happen. The others end as their objects do.
    for (const line of lines.split("\n")) if (line.endsWith("}")) this.#entries.push(JSON.parse(line));
  }

  /** Does what the key stands for, unless that was done before. */
  record(call: Omit<Entry, "id">): Entry {
    const id = this.#entries.find(({ key }) => key === call.key)?.id ??
      `${call.kind}_${crypto.randomUUID().slice(0, 13)}`;
    const entry = { ...call, id };
    if (this.#path !== undefined) Deno.writeTextFileSync(this.#path, "\n" + JSON.stringify(entry), { append: true });
    this.#entries.push(entry);
    return entry;
  }

  /** What was done under an ID. */
  find(id: string): Entry | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  /** Counts by keys, so two keys for one order show as the double that they are. */
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

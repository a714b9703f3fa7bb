/**
 * The outside world, faked: a bank with books of its own.
 *
 * @module
 */

/** Refunds money, and writes each refund down in a file. */
export class Refunds {
  readonly #path: string;

  /**
   * @param path The file, one line of JSON for each refund.
   */
  constructor(path: string) {
    this.#path = path;
  }

  /** Refunds an order, once for each key. */
  async refund(order: string, cents: number, key: string): Promise<string> {
    const done = await Deno.readTextFile(this.#path).catch(() => "");
    if (!done.includes(JSON.stringify(key))) {
      await Deno.writeTextFile(this.#path, `${JSON.stringify({ order, cents, key })}\n`, { append: true });
    }
    return `order ${order} gets ${(cents / 100).toFixed(2)} back`;
  }
}

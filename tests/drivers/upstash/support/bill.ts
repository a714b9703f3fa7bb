/**
 * The costs of calls at Upstash, and tables of them.
 *
 * @module
 */

import type { CostTable } from "../../../support/cost_table.ts";
import type { UpstashServer } from "../server/mod.ts";

/** The cost of a call. */
export interface CommandCost {
  readonly requests: number;
  /** Billed commands: scripts, and the commands that they call. */
  readonly commands: number;
}

/** Counts the costs at a server. */
export class Bill {
  readonly #server: UpstashServer;

  constructor(server: UpstashServer) {
    this.#server = server;
  }

  /** The cost of a call. */
  async of(call: () => Promise<unknown>): Promise<CommandCost> {
    const [requests, commands] = [this.#server.requests.command, this.#server.commands.billed];
    await call();
    return { requests: this.#server.requests.command - requests, commands: this.#server.commands.billed - commands };
  }
}

/** The table of some costs. */
export function tableOf(lines: Readonly<Record<string, CommandCost>>): CostTable {
  const rows = Object.entries(lines).map((
    [name, { requests, commands }],
  ) => [name, String(requests), String(commands)]);
  return { head: ["Operation", "Requests", "Commands"], rows };
}

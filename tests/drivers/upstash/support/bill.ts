/**
 * The costs of calls at Upstash, and tables of them.
 *
 * @module
 */

import assert from "node:assert/strict";
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

const HEAD = ["Operation", "Requests", "Commands"];

/**
 * The text, with the table between `<!-- costs NAME -->` and `<!-- end -->` replaced. The result is
 * formatted as by `deno fmt`.
 */
export function replaceTable(text: string, name: string, lines: Readonly<Record<string, CommandCost>>): string {
  const begin = `<!-- costs ${name} -->\n`;
  const [before, rest] = text.split(begin);
  const end = rest?.indexOf("<!-- end -->") ?? -1;
  assert(before !== undefined && rest !== undefined && end >= 0, `${begin} is missing`);
  return `${before}${begin}\n${tableOf(lines)}\n${rest.slice(end)}`;
}

function tableOf(lines: Readonly<Record<string, CommandCost>>): string {
  const rows = Object.entries(lines).map((
    [name, { requests, commands }],
  ) => [name, String(requests), String(commands)]);
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${
      row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join(" | ")
    } |\n`;
  const rule = widths.map((width, column) => column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return [HEAD, rule, ...rows].map(line).join("");
}

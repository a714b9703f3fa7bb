/**
 * Tables of costs in the guides.
 *
 * @module
 */

import assert from "node:assert/strict";

/** Whether a test writes its tables into the guide, in place of the old ones. */
export const WRITES_COSTS = Deno.env.get("PARLEY_WRITE_COSTS") === "1";

/** A table, with its head and the cells of its rows. The first column has names, the others numbers. */
export interface CostTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const END = "<!-- end -->";

/**
 * The text, with the table between `<!-- costs NAME -->` and `<!-- end -->` replaced. The result is
 * formatted as by `deno fmt`.
 */
export function replaceTable(text: string, name: string, table: CostTable): string {
  const { before, after } = around(text, name);
  return `${before}\n${format(table)}\n${after}`;
}

/** The cells of each row of a table in a text. */
export function readRows(text: string, name: string): string[][] {
  const { table } = around(text, name);
  const [, , ...rows] = table.trim().split("\n");
  return rows.map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()));
}

function around(text: string, name: string) {
  const begin = `<!-- costs ${name} -->\n`;
  const [before, rest] = text.split(begin);
  const end = rest?.indexOf(END) ?? -1;
  assert(before !== undefined && rest !== undefined && end >= 0, `${begin} is missing`);
  return { before: before + begin, table: rest.slice(0, end), after: rest.slice(end) };
}

function format({ head, rows }: CostTable): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${
      row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join(" | ")
    } |\n`;
  const rule = widths.map((width, column) => column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return [head, rule, ...rows].map(line).join("");
}

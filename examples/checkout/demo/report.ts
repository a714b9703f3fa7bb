/**
 * The output of the demo.
 *
 * @module
 */

import type { Ledger } from "../ledger.ts";
import { isComplete, problems, type Result } from "./orders.ts";

const COLOURED = Deno.stdout.isTerminal() && !Deno.noColor;
const CODES = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, cyan: 36 };
export type Colour = keyof typeof CODES;

const started = performance.now();

/** Prints a line of the timeline. */
export function say(who: string, text: string, colour?: Colour): void {
  const seconds = ((performance.now() - started) / 1_000).toFixed(2).padStart(6);
  console.log(`${paint("dim", `${seconds}s`)}  ${who.padEnd(10)}  ${paint(colour, text)}`);
}

/** Prints the final table, and the faults. */
export function printTable(results: Result[], ledger: Ledger): void {
  const head = [
    "order",
    "scenario",
    "expected",
    "outcome",
    "charges (calls)",
    "shipments (calls)",
    "webhooks",
    "stream",
    "",
  ];
  const rows = results.map((result) => {
    const { story: { order, scenario, expected }, info, webhooks } = result;
    const tallies = (["charge", "shipment"] as const).map((kind) => ledger.tally(order.id, kind));
    const well = problems(result, ledger).length === 0;
    return [
      order.id,
      scenario,
      expected,
      info.outcome ?? info.status,
      ...tallies.map(({ effects, attempts }) => `${effects} (${attempts})`),
      counts(webhooks),
      isComplete(result) ? "complete" : "INCOMPLETE",
      well ? "ok" : "WRONG",
    ];
  });
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]!.length), title.length)
  );
  const print = (row: string[], colour?: Colour) =>
    console.log(paint(colour, row.map((cell, at) => cell.padEnd(widths[at]!)).join("  ").trimEnd()));
  console.log();
  print(head, "bold");
  print(widths.map((width) => "─".repeat(width)), "dim");
  for (const row of rows) print(row, row.at(-1) === "ok" ? undefined : "red");
  console.log();
}

/** Prints one line on its own. */
export function conclude(text: string, colour: Colour): void {
  console.log(paint(colour, text));
}

/** `3 × 200`. */
function counts(statuses: number[]): string {
  const byStatus = Map.groupBy(statuses, (status) => status);
  return [...byStatus].map(([status, { length }]) => `${length} × ${status}`).join(", ") || "none";
}

function paint(colour: Colour | undefined, text: string): string {
  return COLOURED && colour ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

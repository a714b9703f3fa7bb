/**
 * Progress on a terminal, for work that takes longer than a moment.
 *
 * @module
 */

import { systemClock } from "../core/time/clock.ts";
import type { CliIo } from "./io.ts";
import { cut } from "./text.ts";

/** How long work may take before it shows progress, and how often that changes. */
const FIRST_MS = 1_000;
const NEXT_MS = 500;

/** The most columns of the words, because only one line is replaced. */
const MAX_WIDTH = 50;

/** Replaces the line of the cursor. */
const CLEAR_LINE = "\r\x1b[2K";

/**
 * Runs work, and shows how long it takes, in a line that disappears.
 *
 * @param doing What the work does, as in `Listing workflows`.
 * @param work The work. It may call its argument with how far it is.
 */
export async function withProgress<T>(
  { err, hasProgress }: Pick<CliIo, "err" | "hasProgress">,
  doing: string,
  work: (report: (done: string) => void) => Promise<T>,
): Promise<T> {
  if (!hasProgress) return await work(() => {});
  const shown = cut(doing, MAX_WIDTH);
  const began = systemClock.now();
  let [done, drawn] = ["", false];
  const draw = () => {
    const ms = systemClock.now() - began;
    if (ms < FIRST_MS) return;
    drawn = true;
    void err(`${CLEAR_LINE}${shown}: ${done}${Math.floor(ms / 1_000)} s`);
  };
  let stop = () => {};
  const again = () => {
    draw();
    stop = systemClock.after(NEXT_MS, again);
  };
  again();
  try {
    return await work((it) => done = `${it}, `);
  } finally {
    stop();
    if (drawn) await err(CLEAR_LINE);
  }
}

/**
 * A browser that follows the progress of an order, with the part of `EventSource` that the demo
 * needs.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Progress } from "../workflow.ts";

/** The part of a stream that a browser saw. */
export interface Followed {
  entries: { offset: number; value: Progress }[];
  /** Whether the stream has said that it is over. */
  ended: boolean;
}

const RECONNECT_MS = 200;

/**
 * Follows a stream to its end. After each cut it connects again with the ID of the last event that
 * it saw, and nothing else.
 *
 * @param onValue Called with each value once.
 */
export async function follow(url: URL, signal: AbortSignal, onValue: (value: Progress) => void): Promise<Followed> {
  const seen: Followed = { entries: [], ended: false };
  while (!seen.ended) {
    signal.throwIfAborted();
    try {
      await readOn(url, seen, signal, onValue);
    } catch {
      // The server is dead, or died just now.
    }
    if (!seen.ended) await delay(RECONNECT_MS, undefined, { signal });
  }
  return seen;
}

async function readOn(
  url: URL,
  seen: Followed,
  signal: AbortSignal,
  onValue: (value: Progress) => void,
): Promise<void> {
  const last = seen.entries.at(-1)?.offset;
  const headers = { accept: "text/event-stream", ...(last !== undefined && { "last-event-id": String(last) }) };
  const response = await fetch(url, { signal, headers });
  if (!response.ok || !response.body) return void await response.body?.cancel();
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (text + chunk).split("\n\n");
    text = frames.pop()!;
    for (const frame of frames) take(frame, seen, onValue);
  }
}

function take(frame: string, seen: Followed, onValue: (value: Progress) => void): void {
  const fields = new Map(
    frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  if (fields.get("event") === "end") return void (seen.ended = true);
  const id = fields.get("id");
  if (id === undefined) return;
  const value: Progress = JSON.parse(fields.get("data")!);
  seen.entries.push({ offset: Number(id), value });
  onValue(value);
}

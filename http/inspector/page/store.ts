/// <reference lib="dom" />
/**
 * Requests to the adapter that serves the page. Values come as plain JSON, because the page only
 * shows them.
 *
 * @module
 */

import { delay, systemClock, wallClock } from "../../../core/time/clock.ts";
import { toSegment } from "../../segment.ts";

/** Where the adapter is mounted. */
const MOUNT = location.pathname.replace(/\/inspector\/?$/, "");

/** The token stays in this tab: the browser forgets it when the tab is closed. */
const TOKEN = "parley.inspector.token";

/** How long to wait before a live reader connects again, in milliseconds. */
const RECONNECT_MS = 1_000;

/** A request that was refused or failed. */
export class RequestError extends Error {
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** Whether the same request would be refused again. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

/** The token that the user gave; empty without one. */
export const token = {
  get: (): string => sessionStorage.getItem(TOKEN) ?? "",
  set: (value: string): void => value === "" ? sessionStorage.removeItem(TOKEN) : sessionStorage.setItem(TOKEN, value),
};

/** How far the server's clock is ahead of the browser's, in milliseconds. */
let ahead = 0;

/** The server's time, in epoch milliseconds. The browser's clock may be wrong. */
export function serverNow(): number {
  return wallClock.now() + ahead;
}

/** A difference below this is the travel of an answer, and the part of a second that `Date` lacks. */
const MIN_CLOCK_SKEW_MS = 5_000;

function learnTime({ headers }: Response): void {
  const difference = Date.parse(headers.get("date") ?? "") - wallClock.now();
  if (!Number.isNaN(difference)) ahead = Math.abs(difference) < MIN_CLOCK_SKEW_MS ? 0 : difference;
}

async function open(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.get() !== "") headers.set("authorization", `Bearer ${token.get()}`);
  const response = await fetch(`${MOUNT}${path}`, { ...init, headers, cache: "no-store" }).catch((error) => {
    if (init.signal?.aborted) throw error;
    throw new RequestError(0, "The server cannot be reached");
  });
  learnTime(response);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new RequestError(response.status, String(problem.detail ?? problem.title ?? `Status ${response.status}`));
}

/** Reads JSON. */
export async function read<T>(path: string, query: object = {}): Promise<T> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  const response = await open(given.length === 0 ? path : `${path}?${text}`, {
    headers: { accept: "application/json" },
  });
  return await response.json() as T;
}

/** Changes something. */
export async function write(method: "POST" | "DELETE", path: string, body?: object): Promise<void> {
  const hasBody = body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  await open(path, { method, ...hasBody });
}

/** The path of a workflow, or of a part of it. */
export function workflowPath(...segments: string[]): string {
  return ["workflows", ...segments].map((it) => `/${toSegment(it)}`).join("");
}

/** A line of a live answer. */
export interface Line {
  end?: boolean;
  offset?: number;
  version?: number;
  value?: unknown;
}

/**
 * Follows a stream or an event until it ends or the signal is aborted. A connection that is cut is
 * opened again behind the last line.
 *
 * @param pathAfter The path behind the last line that was seen.
 * @param take Receives each line.
 */
export async function follow(
  pathAfter: (last: Line | undefined) => string,
  signal: AbortSignal,
  take: (line: Line) => void,
): Promise<void> {
  let last: Line | undefined;
  while (!signal.aborted) {
    try {
      const response = await open(pathAfter(last), { headers: { accept: "application/x-ndjson" }, signal });
      if (response.status === 204) return;
      for await (const line of lines(response.body!)) {
        if (line.end) return;
        last = line;
        take(line);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof RequestError && error.isFinal) throw error;
    }
    await delay(systemClock, RECONNECT_MS, signal);
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    const parts = `${rest}${value}`.split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part !== "") yield JSON.parse(part);
  }
}

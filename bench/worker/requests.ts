/**
 * Counts the statements and the HTTP requests that this process sends to its store, and the
 * commands that Upstash bills. `begin` and `commit` of PostgreSQL count too.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";

const { fetch } = globalThis;
let requests = 0;
let countsUrl: string | undefined;

/** What a store has been asked. */
export interface Counts {
  readonly requests: number;
  /** The billed commands of the whole server, if it counts them. */
  readonly commands?: number;
}

/** Begins to count the statements of all clients of PostgreSQL, and the calls of `fetch`. */
export function countRequests(): void {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (this: pg.Client, ...args: Parameters<typeof query>) {
    countRequest();
    return query.apply(this, args);
  } as typeof query;
  globalThis.fetch = (...args: Parameters<typeof fetch>) => {
    countRequest();
    return fetch(...args);
  };
}

/** Counts a statement that this module does not see. */
export function countRequest(): void {
  requests++;
}

/** Begins to count the commands of the server whose counts are at a URL. */
export function countCommands(url: string): void {
  countsUrl = url;
}

/** How many requests this process has sent. */
export function requestCount(): number {
  return requests;
}

/** The counts of this process, with the commands of its server. */
export async function counts(): Promise<Counts> {
  if (countsUrl === undefined) return { requests };
  return { requests, commands: (await serverCounts())!.commands };
}

/** The counts of the server, which all of its clients share, or `null` if it has none. */
export async function serverCounts(): Promise<Required<Counts> | null> {
  return countsUrl === undefined ? null : await (await fetch(countsUrl)).json();
}

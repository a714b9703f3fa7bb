/**
 * Commands over HTTP, as Upstash's REST API takes them: one `POST` for each.
 *
 * @module
 */

import { answerError, within } from "./failure.ts";
import type { SendCommand, TransportOptions } from "./transport.ts";

/** The REST API of a database: its URL without a slash at the end, and the headers of every request. */
export interface RestAddress {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Sends commands to the REST API. Neither this nor the runtime sends anything twice.
 *
 * The driver writes no bytes that are not UTF-8, so it needs no `Upstash-Encoding: base64`. Scripts
 * run at the primary, so it sends no `Upstash-Sync-Token`, with which a replica catches up.
 */
export function httpCommands(address: RestAddress, { timeoutMs, clock }: TransportOptions): SendCommand {
  const headers = { ...address.headers, "Content-Type": "application/json" };
  return async (command, call, stop) => {
    // The runtime cannot send a Blob a second time. Deno's fetch (2.7 to 2.9) repeats a POST whose
    // body is a text if the connection breaks before the answer, although it may have taken effect.
    const body = new Blob([JSON.stringify(command)]);
    // A redirect would take the token to another host.
    const init = { method: "POST", headers, body, redirect: "manual" } as const;
    const answer = await within(call, { ms: timeoutMs, clock, stop }, async (signal) => {
      const response = await fetch(address.url, { ...init, signal });
      return { status: response.status, text: await response.text() };
    });
    const result = answer.status === 200 ? readResult(answer.text) : undefined;
    if (result !== undefined) return result;
    throw answerError(call, { ...answer, bytes: body.size });
  };
}

/** The result in an answer; `undefined` if there is none. */
function readResult(text: string): unknown {
  try {
    return (JSON.parse(text) as { result?: unknown } | null)?.result;
  } catch {
    return undefined;
  }
}

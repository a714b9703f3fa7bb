/**
 * Commands over HTTP, as Upstash's REST API takes them: one `POST` for each.
 *
 * @module
 */

import type { RestAddress } from "./address.ts";
import { answerError } from "./failure.ts";
import { within } from "./limit.ts";
import type { SendCommand, TransportOptions } from "./transport.ts";

/**
 * Sends commands to the REST API. Neither this nor the runtime sends anything twice.
 *
 * Texts arrive as they are: `Upstash-Encoding: base64` only serves bytes that are not UTF-8, and
 * the driver never writes such bytes. No `Upstash-Sync-Token` is sent either: it makes a replica
 * catch up before it reads, and scripts run at the primary.
 */
export function httpCommands(address: RestAddress, { timeoutMs, clock }: TransportOptions): SendCommand {
  const headers = { ...address.headers, "Content-Type": "application/json" };
  return async (command, call, stop) => {
    // The runtime cannot send a Blob a second time. Deno's fetch repeats a POST whose body is a
    // text if the connection breaks before the answer, although the server may have carried it out.
    // Measured with Deno 2.7 to 2.9.
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

/**
 * Continuing workflows in another invocation.
 *
 * @module
 */

import { systemClock } from "../../core/time/clock.ts";
import { type Duration, toMilliseconds } from "../../core/values/checks.ts";
import { withTimeLimit } from "../../core/time/time_limit.ts";
import { checkToken, toMountUrl } from "../protocol.ts";

/** The most workflows of one request; `POST /wake` takes no more. */
const BATCH = 1_000;

/**
 * A `wake` for `Parley`: another invocation continues the workflows that became due. It posts to
 * the adapter's `/wake`, which answers at once.
 *
 * @param options `url`: where the adapter is mounted, such as `https://example.com/parley`.
 * `token`: one that its auth allows to `wake`. `timeout`: how long to wait for an answer, default
 * `"10s"`. `fetch`: another one, such as that of a Worker's service binding. Default the runtime's.
 * @returns The function. It rejects if an answer was not 2xx. The next sweep then finds those
 * workflows due.
 * @throws {ValidationError} If the URL or the token is not legal.
 *
 * @example Leave the work after a send to the next invocation
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { httpWake } from "@parley/parley/http";
 *
 * const token = "a token from the environment".replaceAll(" ", "-");
 * const wake = httpWake({ url: "https://example.com/parley", token });
 * const parley = new Parley({ driver: memoryDriver(), wake });
 * console.log(await parley.sweep()); // { claimed: 0, finished: 0, suspended: 0 }
 * ```
 *
 * @category Adapter
 */
export function httpWake(
  { url, token, timeout = "10s", fetch = (...args) => globalThis.fetch(...args) }: {
    url: string;
    token: string;
    timeout?: Duration;
    fetch?: (url: string, init: RequestInit) => Promise<Response>;
  },
): (workflowIds: string[]) => Promise<void> {
  const target = `${toMountUrl(url, "Making a wake")}/wake`;
  checkToken(token, "Making a wake");
  const timeoutMs = toMilliseconds(timeout, "timeout");
  return async (workflowIds) => {
    const batches = Array.from(
      { length: Math.ceil(workflowIds.length / BATCH) },
      (_, n) => workflowIds.slice(n * BATCH, (n + 1) * BATCH),
    );
    // A fault of one batch does not stop the others.
    const outcomes = await Promise.allSettled(batches.map((batch) => post(fetch, { target, token, timeoutMs }, batch)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  };
}

async function post(
  fetch: (url: string, init: RequestInit) => Promise<Response>,
  { target, token, timeoutMs }: { target: string; token: string; timeoutMs: number },
  workflowIds: string[],
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify({ workflowIds });
  // Without a limit, an invocation that hangs would also keep this one, which waits for its wakes.
  const limit = { ms: timeoutMs, clock: systemClock, error: () => new DOMException("too late", "TimeoutError") };
  const response = await withTimeLimit(
    limit,
    // A redirect is not followed, because the token is not for another server.
    ({ signal }) => fetch(target, { method: "POST", headers, body, redirect: "manual", signal }),
  ).catch((error) => {
    // The error is not the cause, because runtimes put the request into it.
    const name = error instanceof Error ? error.name : typeof error;
    throw new Error(`Waking ${workflowIds.length} workflows: there was no answer (${name}), and must be one`);
  });
  await response.body?.cancel();
  if (!response.ok) {
    throw new Error(`Waking ${workflowIds.length} workflows: the answer was ${response.status}, and must be 2xx`);
  }
}

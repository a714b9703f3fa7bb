/**
 * Content types and faults of the routes that read streams and events.
 *
 * @module
 */

import { DriverError } from "../../core/errors.ts";
import { PARLEY_JSON, PARLEY_NDJSON } from "../protocol.ts";
import { NDJSON } from "../live/ndjson.ts";
import type { Settings } from "../options.ts";
import { comeBack, EVENT_STREAM } from "../live/sse.ts";

/** The content types, in the server's order of preference. */
export const READ_TYPES = [
  "application/json",
  PARLEY_JSON,
  EVENT_STREAM,
  NDJSON,
  "application/ndjson",
  PARLEY_NDJSON,
] as const;

/** The headers that these routes read, for the documentation. */
export const READ_HEADERS = {
  "accept": "What the answer is to be",
  "last-event-id": "The ID of the last Server-Sent Event that arrived; the answer continues after it",
  "prefer": "wait=30: how many seconds to wait, in place of the parameter",
};

/**
 * Serves an `EventSource`. A temporary fault of the store is reported, and the answer makes the
 * `EventSource` reconnect.
 */
export async function throughFaults(settings: Settings, serve: () => Promise<Response>): Promise<Response> {
  try {
    return await serve();
  } catch (error) {
    if (!(error instanceof DriverError && error.retryable)) throw error;
    settings.report(error);
    return comeBack();
  }
}

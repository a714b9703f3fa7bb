/**
 * Subscriptions over HTTP: a stream of server-sent events.
 *
 * @module
 */

import { createParser } from "eventsource-parser";
import { deferred } from "../../../core/time/deferred.ts";
import { answerError, upstashError, within } from "./failure.ts";
import type { RestAddress } from "./http.ts";
import type { Subscribe, TransportOptions } from "./transport.ts";

const CALL = "Upstash: subscribe";

/**
 * The most UTF-16 units of an event, twice what Parley publishes. A longer event ends the
 * subscription, so that it cannot fill the memory. The next subscription makes everybody look.
 */
const MAX_EVENT_LENGTH = 2 ** 20;

/**
 * Subscribes at the REST API. The package's `Subscriber` does not tell when a stream has ended or
 * broken.
 */
export function httpEvents(address: RestAddress, { timeoutMs, clock }: TransportOptions): Subscribe {
  return async (channel, onMessage, stop) => {
    const { promise: confirmed, resolve, reject } = deferred<void>();
    // It may reject when nobody waits for it any more.
    confirmed.catch(() => {});
    const lost = new AbortController();
    const end = new AbortController();
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    const giveUp = () => {
      end.abort();
      // Deno 2.9 may collect what ties the signal to a stream that is being read; then aborting
      // does nothing.
      reader?.cancel().catch(() => {});
    };
    const read = async () => {
      reader = await openStream(`${address.url}/subscribe/${channel}`, address.headers, end.signal);
      return await readEvents(reader, resolve, onMessage);
    };
    const ended = read().then(reject, reject).finally(() => {
      giveUp();
      lost.abort();
    });
    const close = () => {
      giveUp();
      return ended;
    };
    try {
      await within(CALL, { ms: timeoutMs, clock, stop }, () => confirmed);
    } catch (error) {
      await close();
      throw error;
    }
    return { lost: lost.signal, close };
  };
}

async function openStream(
  url: string,
  headers: RestAddress["headers"],
  signal: AbortSignal,
): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const init = { method: "POST", headers: { ...headers, Accept: "text/event-stream" }, redirect: "manual" } as const;
  const response = await fetch(url, { ...init, signal });
  if (response.status === 200 && response.body) return response.body.getReader();
  throw answerError(CALL, { status: response.status, text: await response.text(), bytes: 0 });
}

/** Returns when the stream has ended, with the error for a caller that waits for the confirmation. */
async function readEvents(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  onConfirmed: () => void,
  onMessage: (payload: string) => void,
): Promise<Error> {
  const parser = createParser({
    maxBufferSize: MAX_EVENT_LENGTH,
    onEvent({ data }) {
      const [, kind, payload = ""] = /^([a-z]+),[^,]*,(.*)$/s.exec(data) ?? [];
      if (kind === "subscribe") onConfirmed();
      if (kind === "message") onMessage(payload);
    },
    onError(error) {
      // The parser skips any other line that it cannot read.
      if (error.type === "max-buffer-size-exceeded") throw error;
    },
  });
  // The parser drops a byte order mark. Deno 2.9 would do so at the beginning of every chunk, where
  // it may be a character.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return upstashError(CALL, "ENDED", { meaning: "the stream ended at once", retryable: true });
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

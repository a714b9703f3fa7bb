/**
 * Subscriptions over HTTP: a stream of server-sent events.
 *
 * @module
 */

import { createParser, type EventSourceParser } from "eventsource-parser";
import { deferred } from "../../../core/time/deferred.ts";
import type { RestAddress } from "./address.ts";
import { answerError, endedError } from "./failure.ts";
import { within } from "./limit.ts";
import type { Subscribe, TransportOptions } from "./transport.ts";

const CALL = "Upstash: subscribe";

/**
 * The most UTF-16 units of an event. A longer one ends the subscription, so that it cannot fill the
 * memory. The next subscription makes everybody look, which finds what the event would have told.
 * Parley publishes events of half of this at most.
 */
const MAX_EVENT_LENGTH = 2 ** 20;

/**
 * Subscribes at the REST API. The package's `Subscriber` does not tell when a stream has ended or
 * broken.
 */
export function httpEvents(address: RestAddress, { timeoutMs, clock }: TransportOptions): Subscribe {
  return async (channel, onMessage, stop) => {
    const stream = new EventStream(`${address.url}/subscribe/${channel}`, address.headers, onMessage);
    try {
      await within(CALL, { ms: timeoutMs, clock, stop }, () => stream.confirmed);
    } catch (error) {
      await stream.close();
      throw error;
    }
    return { lost: stream.lost, close: () => stream.close() };
  };
}

/** A stream that is open, or being opened. */
class EventStream {
  /** Settles when the server has confirmed the subscription; rejects if it never will. */
  readonly confirmed: Promise<void>;
  readonly #lost = new AbortController();
  readonly #end = new AbortController();
  readonly #ended: Promise<void>;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(url: string, headers: HeadersInit, onMessage: (payload: string) => void) {
    const { promise, resolve, reject } = deferred<void>();
    this.confirmed = promise;
    // It may reject when nobody waits for it any more.
    promise.catch(() => {});
    const parser = createParser({
      maxBufferSize: MAX_EVENT_LENGTH,
      onEvent({ data }) {
        const [, kind, payload = ""] = /^([a-z]+),[^,]*,(.*)$/s.exec(data) ?? [];
        if (kind === "subscribe") resolve();
        if (kind === "message") onMessage(payload);
      },
      onError(error) {
        // The parser skips any other line that it cannot read.
        if (error.type === "max-buffer-size-exceeded") throw error;
      },
    });
    this.#ended = this.#read(url, headers, parser).then(reject, reject).finally(() => {
      this.#giveUp();
      this.#lost.abort();
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async close(): Promise<void> {
    this.#giveUp();
    await this.#ended;
  }

  #giveUp(): void {
    this.#end.abort();
    // Deno 2.9 may collect what ties the signal to a stream that is being read; then aborting does
    // nothing.
    this.#reader?.cancel().catch(() => {});
  }

  /** Settles when the stream has ended, with the error for a caller that waits for the confirmation. */
  async #read(url: string, headers: HeadersInit, parser: EventSourceParser): Promise<Error> {
    const { signal } = this.#end;
    const init = { method: "POST", headers: { ...headers, Accept: "text/event-stream" }, redirect: "manual" } as const;
    const response = await fetch(url, { ...init, signal });
    if (response.status !== 200 || !response.body) {
      throw answerError(CALL, { status: response.status, text: await response.text(), bytes: 0 });
    }
    // The parser drops a byte order mark. Deno 2.9 would do so at the beginning of every chunk,
    // where it may be a character.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const reader = this.#reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return endedError(CALL);
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }
}

/**
 * Upstash's REST API: one `POST` for each command, and a stream of server-sent events for a
 * subscription.
 *
 * @module
 */

import { createParser } from "eventsource-parser";
import { ValidationError } from "../../../core/errors.ts";
import { deferred } from "../../../core/time/deferred.ts";
import { hiddenValue } from "../../hidden_value.ts";
import { readJson } from "../../read_json.ts";
import { answerError, upstashError, within } from "./failure.ts";
import type { TransportOptions, UpstashCredentials, UpstashTransport } from "./transport.ts";

/**
 * Reaches the REST API. Neither this nor the runtime sends anything twice.
 *
 * The driver writes no bytes that are not UTF-8, so it needs no `Upstash-Encoding: base64`. Scripts
 * run at the primary, so it sends no `Upstash-Sync-Token`, with which a replica catches up.
 *
 * @throws {ValidationError} If the URL or the token is invalid. The message contains neither.
 */
export function httpTransport(credentials: UpstashCredentials, options: TransportOptions): UpstashTransport {
  const post = openAddress(credentials);
  return { send: httpCommands(post, options), subscribe: httpEvents(post, options) };
}

/** Sends a request to the database. */
type Post = (path: string, headers: Readonly<Record<string, string>>, init: RequestInit) => Promise<Response>;

function openAddress({ url: text, token }: UpstashCredentials): Post {
  const url = typeof text === "string" ? URL.parse(text) : null;
  // A user or a query may be a secret that the caller expects to be sent, and fetch refuses a user.
  const isBare = url && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!isBare || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    const wanted = "it must be that of the REST API, https://HOST";
    throw new ValidationError(`Reading the url of Upstash, ${hiddenValue(text)}: ${wanted}`);
  }
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    const wanted = "it must be that of the REST API, without spaces or line breaks";
    throw new ValidationError(`Reading the token of Upstash, ${hiddenValue(token)}: ${wanted}`);
  }
  const base = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  const authorization = { Authorization: `Bearer ${token}` };
  // A redirect would take the token to another host.
  return (path, headers, init) =>
    fetch(base + path, { method: "POST", headers: { ...authorization, ...headers }, redirect: "manual", ...init });
}

function httpCommands(post: Post, { timeoutMs, clock }: TransportOptions): UpstashTransport["send"] {
  return async (command, call, stop) => {
    // The runtime cannot send a Blob a second time. Deno's fetch (2.7 to 2.9) repeats a POST whose
    // body is a text if the connection breaks before the answer, although it may have taken effect.
    const body = new Blob([JSON.stringify(command)]);
    const answer = await within(call, { ms: timeoutMs, clock, stop }, async (signal) => {
      const response = await post("", { "Content-Type": "application/json" }, { body, signal });
      return { status: response.status, text: await response.text() };
    });
    const document = answer.status === 200 ? readJson(answer.text) as { result?: unknown } | null : undefined;
    if (document?.result !== undefined) return document.result;
    throw answerError(call, { ...answer, bytes: body.size });
  };
}

const CALL = "Upstash: subscribe";

/**
 * The most UTF-16 units of an event, twice what Parley publishes. A longer event ends the
 * subscription, so that it cannot fill the memory. The next subscription makes everybody look.
 */
const MAX_EVENT_LENGTH = 2 ** 20;

/** The `Subscriber` of `@upstash/redis` does not tell when a stream has ended or broken. */
function httpEvents(post: Post, { timeoutMs, clock }: TransportOptions): UpstashTransport["subscribe"] {
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
      const { signal } = end;
      const response = await post(`/subscribe/${channel}`, { Accept: "text/event-stream" }, { signal });
      const { status, body } = response;
      if (status !== 200 || !body) throw answerError(CALL, { status, text: await response.text(), bytes: 0 });
      reader = body.getReader();
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
    if (done) return upstashError(CALL, { code: "ENDED", meaning: "the stream ended at once", retryable: true });
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

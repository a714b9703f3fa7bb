/**
 * A model that needs no account: it types what it has learnt by heart.
 *
 * @module
 */

import type { LanguageModel } from "ai";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";

type StreamOptions = Parameters<MockLanguageModelV4["doStream"]>[0];
type StreamPart = Awaited<ReturnType<MockLanguageModelV4["doStream"]>>["stream"] extends ReadableStream<infer Part>
  ? Part
  : never;

export const STORY =
  "Once upon a time there was a workflow that died in the middle of a sentence. Nobody noticed, since " +
  "another server read its journal, and went on from there. They all lived durably ever after.";

/**
 * Makes the model. It asks for a refund of "order 7" and the like, hangs up once when it is asked to
 * "stumble", and tells a story otherwise.
 *
 * @param delayMs The pause between two words.
 */
export function mockModel(delayMs: number): LanguageModel {
  let stumbled = false;
  return new MockLanguageModelV4({
    doStream: ({ prompt, abortSignal }) => {
      const { request, outcome } = lastTurn(prompt);
      if (outcome !== undefined) {
        return answer(outcome === "" ? "Then I leave it as it is." : `Done: ${outcome}.`);
      }
      const order = /refund.*order (\w+)/i.exec(request)?.[1];
      if (order !== undefined) {
        return answer("I can do that, if somebody agrees.", order);
      }
      const stumbles = /stumble/i.test(request) && !stumbled;
      if (stumbles) stumbled = true;
      return answer(STORY, undefined, stumbles);

      function answer(text: string, refunded?: string, breaksOff = false) {
        const parts = breaksOff ? toParts(text).slice(0, 9) : toParts(text, refunded);
        const stream = simulateReadableStream<StreamPart>({
          chunks: parts,
          initialDelayInMs: 0,
          chunkDelayInMs: delayMs,
        });
        return Promise.resolve({ stream: stream.pipeThrough(ending(breaksOff, abortSignal)) });
      }
    },
  });
}

/** The user's latest words, and what has become of the refund that they led to, if there is one. */
function lastTurn(prompt: StreamOptions["prompt"]): { request: string; outcome?: string } {
  const last = prompt.at(-1);
  const user = prompt.findLast((it) => it.role === "user");
  const request = user?.content.map((it) => it.type === "text" ? it.text : "").join(" ") ??
    "";
  const [result] = last?.role === "tool" ? last.content : [];
  if (result?.type !== "tool-result") return { request };
  return { request, outcome: result.output.type === "text" ? result.output.value : "" };
}

function toParts(text: string, refunded?: string): StreamPart[] {
  const words = text.split(" ").map((word, index) => index === 0 ? word : ` ${word}`);
  const id = crypto.randomUUID();
  const call: StreamPart[] = refunded === undefined ? [] : [{
    type: "tool-call",
    toolCallId: crypto.randomUUID(),
    toolName: "refund",
    input: JSON.stringify({ order: refunded, cents: 4_900 }),
  }];
  const unified = refunded === undefined ? "stop" as const : "tool-calls" as const;
  const inputTokens = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 };
  return [
    { type: "stream-start", warnings: [] },
    { type: "text-start", id },
    ...words.map((delta) => ({ type: "text-delta" as const, id, delta })),
    { type: "text-end", id },
    ...call,
    {
      type: "finish",
      finishReason: { unified, raw: undefined },
      usage: { inputTokens, outputTokens: { total: words.length, text: words.length, reasoning: 0 } },
    },
  ];
}

/** Ends the stream when it is told to, and breaks it off if the model hangs up. */
function ending(breaksOff: boolean, signal: AbortSignal | undefined): TransformStream<StreamPart, StreamPart> {
  return new TransformStream({
    transform(part, to) {
      if (signal?.aborted) to.error(signal.reason);
      else to.enqueue(part);
    },
    flush(to) {
      if (breaksOff) to.error(new Error("The model hung up"));
    },
  });
}

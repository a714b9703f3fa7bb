/**
 * The messages of the chat, and the marks by which a reader tells the tries of a step apart.
 *
 * @module
 */

import type { UIMessage, UIMessageChunk } from "ai";

/** Each try of a part of an answer begins with a mark. It is not a part of the message. */
// It is a type, because an interface has no index signature.
export type ChatData = { try: { part: number } };

/** A message of the chat. */
export type ChatMessage = UIMessage<unknown, ChatData, {
  refund: { input: { order: string; cents: number }; output: string };
}>;

/** A piece of an answer, on its way. */
export type ChatChunk = UIMessageChunk<unknown, ChatData>;

/**
 * Adds a chunk to those before it. A mark that repeats the part of the latest mark takes back what
 * came since that mark, because a try of this part was cut off by an error or a crash.
 *
 * @param chunks The chunks that count so far.
 * @param chunk The next chunk.
 */
export function addChunk(chunks: ChatChunk[], chunk: ChatChunk): void {
  if (chunk.type === "data-try") {
    const latest = chunks.findLastIndex((it) => it.type === "data-try");
    const mark = chunks[latest];
    if (mark?.type === "data-try" && mark.data.part === chunk.data.part) {
      chunks.splice(latest);
    }
  }
  chunks.push(chunk);
}

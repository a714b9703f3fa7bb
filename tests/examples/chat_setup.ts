/**
 * The chat of `examples/chat` on a store in memory, and its readers.
 *
 * @module
 */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Hono } from "hono";
import { memoryDriver, Parley } from "@parley/parley";
import { createApp } from "../../examples/chat/app.ts";
import { PlainChat } from "../../examples/chat/client.ts";
import type { ChatMessage } from "../../examples/chat/message.ts";
import { mockModel } from "../../examples/chat/model.ts";
import { html } from "../../examples/chat/page.ts";
import { answerWorkflow } from "../../examples/chat/workflow.ts";

/** Something that never comes is given up. */
const PATIENCE_MS = 120_000;

/** The chat of a test. */
export interface OpenChat extends AsyncDisposable {
  app: Hono;
  parley: Parley;
  /** The URL of the page. */
  url: string;
  /** The refunds that have happened. */
  refunds: string[];
  /** Makes a reader of the one chat. */
  chat(): PlainChat;
}

/** Opens the chat on a store in memory, over a real connection. */
export function openChat({ pauseMs = 1, script = () => Promise.resolve("") } = {}): OpenChat {
  const refunds: string[] = [];
  const refund = (order: string, cents: number, key: string) => {
    refunds.push(`${order} ${cents} ${key}`);
    return Promise.resolve(`order ${order} is refunded`);
  };
  const workflow = answerWorkflow({ model: mockModel(pauseMs), refund });
  const parley = new Parley({ driver: memoryDriver(), workflows: [workflow] });
  const app = createApp({ parley, secret: "a secret of the chat", html, script });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}/`;
  return {
    app,
    parley,
    url,
    refunds,
    chat: () => new PlainChat(`${url}api/chat`, "c"),
    async [Symbol.asyncDispose]() {
      await parley[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !await holds(); await delay(20)) {
    assert(performance.now() - began < PATIENCE_MS, `it never held: ${holds}`);
  }
}

/** The text of the chat's latest message. */
export function textOf({ messages }: PlainChat): string {
  return messages.at(-1)?.parts.map((part) => part.type === "text" ? part.text : "").join("") ?? "";
}

/** The refund of the chat's latest message. */
export function refundOf(
  { messages }: PlainChat,
): Extract<ChatMessage["parts"][number], { type: "tool-refund" }> | undefined {
  return messages.at(-1)?.parts.find((part) => part.type === "tool-refund");
}

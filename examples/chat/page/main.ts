/// <reference lib="dom" />

/**
 * The script of the page. With React, `useChat` takes the place of `PlainChat`.
 *
 * @module
 */

import { PlainChat } from "../client.ts";
import { addChunk, type ChatChunk, type ChatMessage } from "../message.ts";

const API = "/api/chat";
/** How often the page looks whether there is another answer to follow by `EventSource`. */
const LOOK_MS = 1_000;

// The chat's ID is in the address, so that a reload shows the same chat.
if (location.hash === "") location.hash = crypto.randomUUID();
const chat = new PlainChat(API, location.hash.slice(1), show);

const find = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const text = find<HTMLInputElement>("text");

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void chat.sendMessage({ text: text.value });
  text.value = "";
});
find("stop").addEventListener("click", () => void chat.cancel());
await chat.load();
void followPlainly();

function show(): void {
  find("status").textContent = chat.status;
  find("messages").replaceChildren(...chat.messages.map(toElement));
}

function toElement({ role, parts }: ChatMessage): HTMLElement {
  const element = document.createElement("div");
  element.className = `message ${role}`;
  for (const part of parts) {
    if (part.type === "text") element.append(part.text, " ");
    if (part.type !== "tool-refund") continue;
    const { state, toolCallId, input } = part;
    const line = document.createElement("p");
    line.append(`Refund of order ${input?.order}: ${state}`);
    if (state === "approval-requested") {
      line.append(button("Approve", () => chat.approve(toolCallId, true)));
      line.append(button("Deny", () => chat.approve(toolCallId, false)));
    }
    element.append(line);
  }
  return element;
}

function button(label: string, run: () => Promise<void>): HTMLElement {
  const element = document.createElement("button");
  element.textContent = label;
  element.addEventListener("click", () => void run());
  return element;
}

/** Reads the answers with nothing but `EventSource`, which resumes by itself. */
async function followPlainly(): Promise<void> {
  for (
    let read = "";;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  ) {
    const response = await fetch(`${API}/${chat.id}/stream`).catch(() => undefined);
    const url: string | undefined = response?.ok && response.status !== 204
      ? (await response.json()).streamUrl
      : undefined;
    const answer = url?.split("?")[0];
    if (!url || !answer || answer === read) continue;
    read = answer;
    const chunks: ChatChunk[] = [];
    const source = new EventSource(url);
    source.addEventListener("message", ({ data }) => {
      addChunk(chunks, JSON.parse(data));
      find("plain").textContent = chunks.map((it) => it.type === "text-delta" ? it.delta : "").join("");
    });
    source.addEventListener("end", () => source.close());
  }
}

/// <reference lib="dom" />

/**
 * The script of the page of `examples/chat` with React's `useChat`, as the guide shows it.
 *
 * @module
 */

import { useChat } from "@ai-sdk/react";
import { createElement, type ReactElement, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { chatOptions } from "../../examples/chat/client.ts";
import type { ChatMessage } from "../../examples/chat/message.ts";

const API = "/api/chat";

/** A chat whose hook is given nothing but the options of the example. */
function Chat({ id, messages }: { id: string; messages: ChatMessage[] }): ReactElement[] {
  const resume = useRef(() => Promise.resolve());
  // The hook keeps the transport of its first render, and calls the `onFinish` of its latest one.
  const [options] = useState(() => chatOptions(API, () => resume.current()));
  const chat = useChat({ id, messages, resume: true, ...options });
  useEffect(() => void (resume.current = chat.resumeStream));
  useEffect(() => {
    const form = document.forms[0]!;
    const send = (event: SubmitEvent) => {
      event.preventDefault();
      const text = document.getElementById("text") as HTMLInputElement;
      void chat.sendMessage({ text: text.value });
    };
    const stop = () => void post(id, "stop", {}).then(() => chat.stop());
    const button = document.getElementById("stop")!;
    form.addEventListener("submit", send);
    button.addEventListener("click", stop);
    return () => {
      form.removeEventListener("submit", send);
      button.removeEventListener("click", stop);
    };
  });
  useEffect(() => void (document.getElementById("status")!.textContent = chat.status), [chat.status]);
  return chat.messages.map((message) => createElement(Message, { key: message.id, id, message }));
}

function Message({ id, message: { role, parts } }: { id: string; message: ChatMessage }): ReactElement {
  return createElement(
    "div",
    { className: `message ${role}` },
    ...parts.map((part) => {
      if (part.type === "text") return part.text;
      if (part.type !== "tool-refund" || part.state !== "approval-requested") return null;
      const approve = () => void post(id, `approvals/${part.toolCallId}`, { approved: true });
      return createElement("button", { onClick: approve }, "Approve");
    }),
  );
}

async function post(id: string, path: string, body: unknown): Promise<void> {
  const headers = { "content-type": "application/json" };
  await fetch(`${API}/${id}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

if (location.hash === "") location.hash = crypto.randomUUID();
const id = location.hash.slice(1);
const messages: ChatMessage[] = await (await fetch(`${API}/${id}`)).json();
createRoot(document.getElementById("messages")!).render(createElement(Chat, { id, messages }));

import assert from "node:assert/strict";
import { PlainChat } from "../../examples/chat/client.ts";
import type { ChatChunk } from "../../examples/chat/message.ts";
import { STORY } from "../../examples/chat/model.ts";
import { withDirectory } from "../project/files.ts";
import { ChatServer, readPlainly } from "./chat_server.ts";
import { refundOf, textOf, until } from "./chat_setup.ts";

// The client of Durable Streams has a promise that nobody can handle, and it rejects when a connection
// breaks. Browsers log that.
addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof TypeError && /body/.test(event.reason.message)) {
    event.preventDefault();
  }
});

// A connection that breaks may leave a body in the client of Durable Streams.
const sanitizeResources = false;

Deno.test("the chat shows an answer once, through a retry, a reload and two kills of its server, and refunds once", {
  sanitizeResources,
}, async () => {
  await withDirectory(async (directory) => {
    await using server = new ChatServer(directory);
    await server.start();
    const api = `${server.url}/api/chat`;
    const shown: string[] = [];
    const chat: PlainChat = new PlainChat(api, "c", () => chat && shown.push(textOf(chat)));
    void chat.sendMessage({ text: "Tell me a story, but stumble" });
    await until(() => textOf(chat).includes("workflow"));
    const { streamUrl } = await (await fetch(`${api}/c/stream`)).json();
    const plain = readPlainly(new URL(streamUrl, api).href);
    // By now the model has hung up, and the step is tried again.
    await until(() => textOf(chat).includes("middle"));
    await server.kill();
    await server.start();
    const reloaded = new PlainChat(api, "c");
    const loading = reloaded.load();
    for (const it of [chat, reloaded]) {
      await until(() => textOf(it) === STORY && it.status === "ready");
    }
    await loading;
    assert.deepEqual([await plain, reloaded.messages.length, chat.messages.length], [STORY, 2, 2]);
    // No picture that was ever shown has a word twice.
    const wrong = shown.filter((text) => !STORY.startsWith(text) && text !== "Tell me a story, but stumble");
    assert.deepEqual(wrong, []);
    // The store has each try, and each began with its mark: two were abandoned, and one is whole.
    const stored: ChatChunk[] = await (await fetch(new URL(`${streamUrl}&offset=0`, api))).json();
    assert(stored.filter(({ type }) => type === "data-try").length >= 3);

    void chat.sendMessage({ text: "Please refund order 7" });
    await until(() => refundOf(chat)?.state === "approval-requested");
    await server.kill();
    await server.start();
    const approver = new PlainChat(api, "c");
    void approver.load();
    await until(() => refundOf(approver)?.state === "approval-requested");
    const { toolCallId } = refundOf(approver)!;
    await Promise.all([approver.approve(toolCallId, true), approver.approve(toolCallId, true)]);
    for (const it of [chat, approver]) {
      await until(() => textOf(it).endsWith("gets 49.00 back.") && it.status === "ready");
      assert.deepEqual([refundOf(it)?.state, it.messages.length], ["output-available", 4]);
    }
    const refunds = await Deno.readTextFile(`${directory}/refunds.jsonl`);
    assert.deepEqual(
      refunds.trim().split("\n").map((line) => JSON.parse(line)),
      [{ order: "7", cents: 4_900, key: toolCallId }],
    );
  });
});

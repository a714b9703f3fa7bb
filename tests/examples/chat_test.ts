import assert from "node:assert/strict";
import { addChunk, type ChatChunk } from "../../examples/chat/message.ts";
import { STORY } from "../../examples/chat/model.ts";
import { openChat, refundOf, textOf, until } from "./chat_setup.ts";

Deno.test(
  "a tool call waits for a person, and a chat that is loaded meanwhile may answer, once",
  async () => {
    await using opened = openChat();
    const chat = opened.chat();
    void chat.sendMessage({ text: "Please refund order 7" });
    await until(() => refundOf(chat)?.state === "approval-requested");
    assert.deepEqual(refundOf(chat)?.input, { order: "7", cents: 4_900 });
    const other = opened.chat();
    void other.load();
    await until(() => refundOf(other)?.state === "approval-requested");
    const { toolCallId } = refundOf(other)!;
    await Promise.all([
      other.approve(toolCallId, true),
      other.approve(toolCallId, true),
      other.approve(toolCallId, false),
    ]);
    for (const it of [chat, other]) {
      await until(() =>
        it.status === "ready" &&
        textOf(it).endsWith("Done: order 7 is refunded.")
      );
      assert.deepEqual([refundOf(it)?.state, it.messages.length], ["output-available", 2]);
    }
    assert.deepEqual(opened.refunds, [`7 4900 ${toolCallId}`]);
  },
);

Deno.test(
  "a refund that a person denies does not happen, and the model hears of it",
  async () => {
    await using opened = openChat();
    const chat = opened.chat();
    void chat.sendMessage({ text: "Please refund order 8" });
    await until(() => refundOf(chat)?.state === "approval-requested");
    await chat.approve(refundOf(chat)!.toolCallId, false);
    await until(() =>
      chat.status === "ready" &&
      textOf(chat).endsWith("Then I leave it as it is.")
    );
    assert.deepEqual([refundOf(chat)?.state, opened.refunds], ["output-denied", []]);
  },
);

Deno.test(
  "cancel() stops the workflow of an answer, and the next answer knows the beginning of it",
  async () => {
    await using opened = openChat({ pauseMs: 20 });
    const chat = opened.chat();
    void chat.sendMessage({ text: "Tell me a story" });
    await until(() => textOf(chat).startsWith("Once upon a time"));
    await chat.cancel();
    const { workflows: [stopped] } = await opened.parley.list();
    assert.equal(stopped?.status, "CANCELLED");
    await chat.sendMessage({ text: "Tell it again" });
    assert.equal(textOf(chat), STORY);
    const { workflows: [latest] } = await opened.parley.list({ include: "values" });
    const { messages } = latest!.input as {
      messages: { role: string; parts: { type: string; text: string }[] }[];
    };
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "user"]);
    const beginning = messages[1]!.parts.find(({ type }) => type === "text")!.text;
    assert(
      beginning.startsWith("Once upon a time") &&
        beginning.length < STORY.length && STORY.startsWith(beginning),
    );
    await chat.regenerate();
    assert.deepEqual([textOf(chat), chat.messages.length], [STORY, 4]);
  },
);

Deno.test(
  "a message that is posted twice has one answer, and a post that makes no sense has none",
  async () => {
    await using opened = openChat();
    const post = async (body: unknown) => {
      const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      return (await opened.app.request("/api/chat", request)).status;
    };
    const message = { id: "m", role: "user", parts: [{ type: "text", text: "Tell me a story" }] };
    const posted = { id: "c", messages: [message], trigger: "submit-message" };
    assert.deepEqual(await Promise.all([post(posted), post(posted)]), [201, 201]);
    assert.equal(await post(posted), 201);
    const bad = [{ ...posted, id: "a/b" }, { ...posted, messages: [] }, { ...posted, trigger: "x" }, {}];
    assert.deepEqual(await Promise.all(bad.map(post)), [400, 400, 400, 400]);
    assert.equal((await opened.parley.list()).workflows.length, 1);
    await opened.parley.idle();
    assert.equal((await opened.parley.list()).workflows[0]!.status, "SUCCESS");
    // Without a token of the answer, its stream is closed to everybody.
    assert.equal((await opened.app.request("/answers/c%2Fm?offset=-1")).status, 401);
  },
);

Deno.test("addChunk() drops what stands between two marks of one part", () => {
  const mark = (part: number): ChatChunk => ({ type: "data-try", data: { part }, transient: true });
  const delta = (text: string): ChatChunk => ({ type: "text-delta", id: "t", delta: text });
  const counted: ChatChunk[] = [];
  for (
    const chunk of [mark(0), delta("a"), mark(0), delta("b"), mark(1), delta("c"), mark(1), mark(1), delta("d")]
  ) {
    addChunk(counted, chunk);
  }
  assert.deepEqual(counted, [mark(0), delta("b"), mark(1), delta("d")]);
});

/**
 * The routes of the chat. They hold nothing between two requests, because all state is in the
 * workflows: one for each answer, whose ID begins with the ID of its chat.
 *
 * @module
 */

import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { type Parley, WorkflowEndedError, type WorkflowInfo } from "@parley/parley";
import { parleyHttp, scopedTokens } from "@parley/parley/http";
import { readUIMessageStream } from "ai";
import * as v from "valibot";
import { addChunk, type ChatChunk, type ChatMessage } from "./message.ts";
import { approvalOf, chunks, type Question } from "./workflow.ts";

/** The parts of the app. */
export interface ChatParts {
  /** Knows the workflow `answer`. */
  parley: Parley;
  /** Signs the tokens with which browsers read. */
  secret: string;
  /** The page. */
  html: string;
  /** Returns the script of the page. */
  script: () => Promise<string>;
}

const Id = v.pipe(v.string(), v.regex(/^[\w-]{1,100}$/));
const UserMessage = v.object({
  id: Id,
  role: v.literal("user"),
  parts: v.array(v.object({ type: v.literal("text"), text: v.string() })),
});
const Posted = v.object({
  id: Id,
  messages: v.array(v.looseObject({ role: v.string() })),
  trigger: v.picklist(["submit-message", "regenerate-message"]),
});
const Approval = v.object({ approved: v.boolean() });

/**
 * Makes the app. It starts no server. A real app checks in each route that the chat belongs to the
 * caller.
 */
export function createApp({ parley, secret, html, script }: ChatParts): Hono {
  const tokens = scopedTokens(secret);
  const api = parleyHttp({ parley, auth: tokens });
  const app = new Hono();

  /** The URL of an answer's stream, with a token for it. Clients of streams send no headers. */
  async function streamUrlOf(workflowId: string): Promise<string> {
    const token = await tokens.mint({ actions: ["stream"], workflowId, keys: [chunks.name], expiresIn: "1h" });
    return `/answers/${encodeURIComponent(workflowId)}?token=${token}`;
  }

  app.get("/", (c) => c.html(html));
  app.get("/page.js", async (c) => c.body(await script(), 200, { "content-type": "text/javascript" }));

  app.post("/api/chat", async (c) => {
    const { id, messages, trigger } = parse(Posted, await c.req.json());
    // Only the user's own words are taken from the browser.
    const said = parse(UserMessage, messages.findLast(({ role }) => role === "user")) as ChatMessage;
    // The same message starts the same answer, however often it is posted.
    const workflowId = `${id}/${trigger === "submit-message" ? said.id : crypto.randomUUID()}`;
    const latest = await latestAnswer(parley, id);
    if (latest?.workflowId !== workflowId) {
      if (latest) await stop(parley, latest);
      const before = latest ? await messagesOf(parley, latest) : [];
      const at = before.findIndex((it) => it.id === said.id);
      const question = { messages: [...at < 0 ? before : before.slice(0, at), said] };
      await parley.start<Question, void>("answer", question, { workflowId });
    }
    return c.json({ streamUrl: await streamUrlOf(workflowId) }, 201);
  });

  app.get("/api/chat/:id", async (c) => {
    const latest = await latestAnswer(parley, c.req.param("id"));
    return c.json((latest?.input as Question | undefined)?.messages ?? []);
  });

  app.get("/api/chat/:id/stream", async (c) => {
    const latest = await latestAnswer(parley, c.req.param("id"));
    if (!latest) return c.body(null, 204);
    return c.json({ streamUrl: await streamUrlOf(latest.workflowId) });
  });

  app.post("/api/chat/:id/approvals/:question", async (c) => {
    const { approved } = parse(Approval, await c.req.json());
    const { workflowId } = await currentAnswer(parley, c);
    const question = c.req.param("question");
    // The first click counts. The key makes a double click one message.
    await parley.send(workflowId, { approved }, { topic: approvalOf(question), idempotencyKey: question });
    return c.body(null, 204);
  });

  app.post("/api/chat/:id/stop", async (c) => {
    await stop(parley, await currentAnswer(parley, c));
    return c.body(null, 204);
  });

  // The stream of an answer, by the Durable Streams protocol and for `EventSource`, is the library's.
  // A reader that begins gets what is there without abandoned tries.
  app.get("/answers/:id", async (c) => {
    const workflowId = c.req.param("id");
    const url = new URL(c.req.url);
    url.pathname = `/workflows/${encodeURIComponent(workflowId)}/streams/${chunks.name}`;
    const response = await api.fetch(new Request(url, c.req.raw));
    if (!response.ok || c.req.query("offset") !== "-1" || c.req.query("live")) {
      return response;
    }
    await response.body?.cancel();
    const { values, nextOffset, closed } = await readChunks(parley, workflowId);
    return c.json(values, 200, {
      "cache-control": "no-store",
      "stream-next-offset": String(nextOffset).padStart(16, "0"),
      "stream-up-to-date": "true",
      ...(closed && { "stream-closed": "true" }),
    });
  });
  return app;
}

/** The chunks of an answer that are there and count, and where they end. */
async function readChunks(
  parley: Parley,
  workflowId: string,
): Promise<{ values: ChatChunk[]; nextOffset: number; closed: boolean }> {
  const { values, ...end } = await parley.readStream(workflowId, chunks, { wait: false }).collect();
  const counted: ChatChunk[] = [];
  for (const chunk of values) addChunk(counted, chunk);
  return { values: counted, ...end };
}

/** The latest answer of a chat. */
async function latestAnswer(parley: Parley, chat: string): Promise<WorkflowInfo | undefined> {
  const query = { idPrefix: `${parse(Id, chat)}/`, limit: 1, include: "values" } as const;
  return (await parley.list(query)).workflows[0];
}

async function currentAnswer(parley: Parley, c: Context): Promise<WorkflowInfo> {
  const latest = await latestAnswer(parley, c.req.param("id") ?? "");
  if (!latest) {
    throw new HTTPException(404, { message: "There is no such chat" });
  }
  return latest;
}

/** Stops an answer, unless it has ended. */
async function stop(parley: Parley, { workflowId }: WorkflowInfo): Promise<void> {
  try {
    await parley.cancel(workflowId);
  } catch (error) {
    if (!(error instanceof WorkflowEndedError)) throw error;
  }
}

/** The messages of a chat: the question of an answer, and the answer as far as it has come. */
async function messagesOf(parley: Parley, { workflowId, input }: WorkflowInfo): Promise<ChatMessage[]> {
  const { values } = await readChunks(parley, workflowId);
  let answer: ChatMessage | undefined;
  const stream = ReadableStream.from(values);
  for await (const message of readUIMessageStream<ChatMessage>({ stream })) {
    answer = message;
  }
  return [...(input as Question).messages, ...answer ? [answer] : []];
}

function parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const { success, output } = v.safeParse(schema, value);
  if (!success) {
    throw new HTTPException(400, { message: "The request makes no sense" });
  }
  return output;
}

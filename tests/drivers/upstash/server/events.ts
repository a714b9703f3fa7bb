/**
 * Server-sent events: published messages, and the commands that the server carries out.
 *
 * @module
 */

import { Listener } from "./redis.ts";
import type { RequestRoute } from "./request.ts";
import { bytesOf, errorText, joined, type Reply, type RespCommand, textOf } from "./resp.ts";

/** A stream of events to one client. */
export interface Events {
  readonly response: Response;
  /** Settles when its connection to Redis is closed. */
  readonly done: Promise<void>;
  /** Ends the stream from the side of the server. */
  end(): void;
}

const DATA = bytesOf("data: ");
const END = bytesOf("\n\n");
const COMMA = bytesOf(",");

/**
 * Opens a stream over a connection of its own. The connection closes when the client disconnects.
 *
 * @throws {Error} If Redis refuses to listen.
 */
export async function openEvents(url: string, route: RequestRoute, listen: RespCommand): Promise<Events> {
  const listener = await Listener.open(url, listen);
  const replies = listener.replies();
  const first = await replies.next();
  const refused = errorText(first.done ? undefined : first.value);
  if (first.done || refused !== undefined) {
    listener[Symbol.dispose]();
    throw new Error(refused ?? "Redis closed the connection");
  }
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let end = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      end = () => {
        listener[Symbol.dispose]();
        closeQuietly(controller);
      };
      controller.enqueue(frame(route, first.value));
      void pass(replies, (reply) => controller.enqueue(frame(route, reply))).finally(end).finally(resolve);
    },
    cancel: () => listener[Symbol.dispose](),
  });
  const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" };
  return { response: new Response(body, { headers }), done, end: () => end() };
}

async function pass(replies: AsyncIterable<Reply>, send: (reply: Reply) => void): Promise<void> {
  try {
    for await (const reply of replies) send(reply);
  } catch {
    // Redis or the client has gone. In both cases the stream has ended.
  }
}

/**
 * `data: message,CHANNEL,PAYLOAD`, with the payload as it is, also if there is a line break in it.
 * What monitors sends first is the one text in quotes
 * (https://upstash.com/docs/redis/features/restapi, 2026-11).
 */
function frame(route: RequestRoute, reply: Reply): Uint8Array {
  if (route === "monitor") {
    const text = reply.kind === "status" ? reply.text : new Uint8Array();
    return joined([DATA, textOf(text) === "OK" ? bytesOf('"OK"') : text, END]);
  }
  const items = reply.kind === "array" ? reply.items ?? [] : [];
  const parts = items.flatMap((item, index) => [...(index > 0 ? [COMMA] : []), contents(item)]);
  return joined([DATA, ...parts, END]);
}

function contents(reply: Reply): Uint8Array {
  if (reply.kind === "integer") return bytesOf(reply.digits);
  return reply.kind === "bulk" ? reply.bytes ?? new Uint8Array() : new Uint8Array();
}

function closeQuietly(controller: ReadableStreamDefaultController): void {
  try {
    controller.close();
  } catch {
    // The client has closed the stream.
  }
}

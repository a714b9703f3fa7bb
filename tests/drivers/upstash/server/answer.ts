/**
 * Writes answers: JSON, with texts in base64 if the request asks for that, or Redis's own bytes.
 *
 * @module
 */

import { encodeReplies, errorText, type Reply, textOf } from "./resp.ts";
import type { Format } from "./request.ts";

/** The content type of every answer in JSON. */
export const JSON_TYPE = "application/json; charset=utf-8";

/** The answer to one command. */
export function single(reply: Reply, format: Format): Response {
  const status = reply.kind === "error" ? 400 : 200;
  if (format.resp2) return raw([reply], status);
  return json(entry(reply, format), status);
}

/** The answer to a list of commands. */
export function listReply(replies: readonly Reply[], format: Format): Response {
  return format.resp2 ? raw(replies, 200) : json(`[${replies.map((reply) => entry(reply, format)).join()}]`, 200);
}

/** An error that is not a reply of Redis. */
export function failure(status: number, text: string): Response {
  return json(JSON.stringify({ error: text }), status);
}

function raw(replies: readonly Reply[], status: number): Response {
  return new Response(encodeReplies(replies), { status, headers: { "Content-Type": "application/octet-stream" } });
}

function json(body: string, status: number): Response {
  return new Response(body, { status, headers: { "Content-Type": JSON_TYPE } });
}

/** Errors are never encoded. */
function entry(reply: Reply, { base64 }: Format): string {
  const error = errorText(reply);
  return error === undefined ? `{"result":${value(reply, base64, 0)}}` : JSON.stringify({ error });
}

/**
 * Writes integers with all their digits, although JavaScript readers lose some.
 *
 * `OK` is not encoded if it is the whole result, as documented. Within an array it is encoded,
 * because the client would decode it there, to `8`.
 */
function value(reply: Reply, base64: boolean, depth: number): string {
  if (reply.kind === "integer") return reply.digits;
  if (reply.kind === "array") {
    return reply.items ? `[${reply.items.map((item) => value(item, base64, depth + 1)).join()}]` : "null";
  }
  const bytes = reply.kind === "bulk" ? reply.bytes : reply.text;
  if (bytes === null) return "null";
  const text = textOf(bytes);
  const isBare = reply.kind === "error" || (reply.kind === "status" && text === "OK" && depth === 0);
  return JSON.stringify(base64 && !isBare ? bytes.toBase64() : text);
}

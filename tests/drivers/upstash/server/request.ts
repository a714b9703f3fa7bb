/**
 * Reads requests: the route, the commands, and the format of the answer.
 *
 * @module
 */

import { bytesOf, type RespCommand } from "./resp.ts";

/** The kinds of requests. A command can be in the body or in the path. */
export type RequestRoute = "command" | "path" | "pipeline" | "multi-exec" | "subscribe" | "psubscribe" | "monitor";

/** How an answer is to be written. */
export interface Format {
  readonly base64: boolean;
  readonly resp2: boolean;
}

/** A request that is refused before anything is carried out. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const LISTS: ReadonlySet<string> = new Set(["pipeline", "multi-exec"]);
const STREAMS: ReadonlySet<string> = new Set(["subscribe", "psubscribe", "monitor"]);

/** The kind of a request. */
export function requestRouteOf(request: Request): RequestRoute {
  const [, first = "", ...rest] = new URL(request.url).pathname.split("/");
  if (LISTS.has(first) && rest.length === 0) return first as RequestRoute;
  if (STREAMS.has(first) && request.headers.get("Accept")?.includes("text/event-stream")) return first as RequestRoute;
  return first === "" && rest.length === 0 ? "command" : "path";
}

/** @throws {RequestError} If the headers ask for a format that does not exist. */
export function readFormat(headers: Headers): Format {
  const format = headers.get("Upstash-Response-Format")?.toLowerCase() ?? "json";
  const base64 = headers.get("Upstash-Encoding")?.toLowerCase() === "base64";
  const resp2 = format === "resp2";
  // The documentation says that both are refused, but not with which text.
  if (!resp2 && format !== "json") throw new RequestError(400, `ERR unsupported response format: "${format}"`);
  if (resp2 && base64) throw new RequestError(400, "ERR base64 encoding is not supported with resp2 response format");
  return { base64, resp2 };
}

/**
 * The token of a request. The parameter wins over the header, and `Bearer` is optional in the header.
 */
export function requestToken(request: Request): string {
  const given = new URL(request.url).searchParams.get("_token");
  return given ?? (request.headers.get("Authorization") ?? "").replace(/^Bearer\s+/i, "");
}

/** @throws {RequestError} If the body is too long. */
export async function readRequestBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  // Documented for Redis's own protocol, as an error:
  // https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded (2026-11). The status
  // over HTTP is not documented.
  const tooLarge = new RequestError(413, "ERR max request size exceeded");
  if (Number(request.headers.get("Content-Length")) > maxBytes) throw tooLarge;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/**
 * The commands of a request. A request that is not a list has one.
 *
 * @throws {RequestError} If it has no commands.
 */
export function readCommands(route: RequestRoute, url: URL, body: Uint8Array): RespCommand[] {
  if (route === "command") return [readCommand(parse(body))];
  if (route !== "pipeline" && route !== "multi-exec") return [readPath(url, body)];
  const list = parse(body);
  if (!list.every((it) => Array.isArray(it))) throw new RequestError(400, EXPECTED_ARRAY);
  if (list.length === 0) throw new RequestError(400, EMPTY);
  return list.map(readCommand);
}

/** The segments of a path, then the body, then the parameters. */
function readPath({ pathname, search }: URL, body: Uint8Array): RespCommand {
  const segments = pathname.slice(1).split("/").map(percentDecoded);
  const parameters = search.slice(1).split("&").filter((it) => it !== "" && !it.startsWith("_token="));
  const pairs = parameters.flatMap((it) => {
    const [key = "", ...value] = it.replaceAll("+", " ").split("=");
    return [percentDecoded(key), ...(value.length > 0 ? [percentDecoded(value.join("="))] : [])];
  });
  if (segments[0]?.length === 0) throw new RequestError(400, EMPTY);
  return [...segments, ...(body.length > 0 ? [body.slice()] : []), ...pairs];
}

// Texts of Upstash, as its users report them.
const EXPECTED_ARRAY = "expected JSON array";
const EMPTY = "ERR empty command";

function parse(body: Uint8Array): unknown[] {
  if (body.length === 0) throw new RequestError(400, "EOF");
  const value = parseJson(new TextDecoder().decode(body));
  if (!Array.isArray(value)) throw new RequestError(400, EXPECTED_ARRAY);
  return value;
}

function parseJson(text: string): unknown {
  try {
    // Keeps numbers as they are written, because 64-bit ones would lose digits.
    return JSON.parse(
      text,
      (_, value, context?: { source?: string }) => typeof value === "number" ? context?.source ?? value : value,
    );
  } catch (error) {
    throw new RequestError(400, `ERR failed to parse the request: ${error instanceof Error ? error.message : error}`);
  }
}

function readCommand(value: unknown): RespCommand {
  const args = Array.isArray(value) ? value : [];
  if (args.length === 0) throw new RequestError(400, EMPTY);
  return args.map(readArgument);
}

function readArgument(value: unknown): Uint8Array<ArrayBuffer> {
  if (value === null) throw new RequestError(400, "ERR null args are not supported");
  if (typeof value !== "object") return bytesOf(String(value));
  throw new RequestError(400, `ERR unsupported arg type: "${Array.isArray(value) ? "[" : "{"}": json.Delim`);
}

/** Keeps bytes that are not UTF-8. */
function percentDecoded(text: string): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(text);
  const decoded = [];
  for (let index = 0; index < bytes.length; index++) {
    const code = bytes[index] === 37 ? Number.parseInt(text.slice(index + 1, index + 3), 16) : NaN;
    decoded.push(Number.isNaN(code) ? bytes[index] ?? 0 : code);
    if (!Number.isNaN(code)) index += 2;
  }
  return new Uint8Array(decoded);
}

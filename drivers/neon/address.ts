/**
 * Where a database of Neon's is reached.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";

/** Who logs in, and to what; all decoded. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Where a database is reached, and how. */
export interface Address {
  /** What goes into the header of each request. */
  readonly connectionString: string;
  readonly login: Login;
  /** The URL of SQL over HTTP. */
  readonly http: string;
  /** The URL of the WebSocket, if it is known. */
  readonly websocket: URL | null;
  /** Whether the host is that of a pooler, whose sessions change hands after each transaction. */
  readonly isPooled: boolean;
}

/** Another proxy than Neon's own. */
export interface Endpoint {
  /** The URL for SQL over HTTP, as in `http://127.0.0.1:4444/sql`. */
  readonly http: string;
  /** The URL for WebSockets, as in `ws://127.0.0.1:4444/v2`. Without it there is no push. */
  readonly websocket?: string;
}

const DEFAULT_PORT = 5432;

/**
 * Reads a connection string.
 *
 * @param connectionString The connection string.
 * @param endpoint The proxy, if it is not that of the connection string's host.
 * @throws {ValidationError} If either is not what it must be. The message has nothing of the connection string.
 */
export function readAddress(connectionString: string, endpoint?: Endpoint): Address {
  const url = readConnectionString(connectionString);
  const { hostname } = url;
  return {
    connectionString: `postgresql:${url.href.slice(url.protocol.length)}`,
    login: readLogin(url),
    http: endpoint ? readEndpoint(endpoint.http, "http").href : `https://${hostname.replace(/^[^.]+\./, "api.")}/sql`,
    websocket: endpoint
      ? endpoint.websocket === undefined ? null : readEndpoint(endpoint.websocket, "websocket")
      : new URL(`wss://${hostname}/v2`),
    isPooled: /^[^.]*-pooler(\.|$)/.test(hostname),
  };
}

/** As the `http:` URL that has the same parts: only of such a URL is the host read as one. */
function readConnectionString(text: unknown): URL {
  const [, rest] = typeof text === "string" ? /^postgres(?:ql)?:(.*)$/s.exec(text) ?? [] : [];
  const url = rest === undefined ? null : URL.parse(`http:${rest}`);
  if (
    url && url.username !== "" && url.password !== "" && url.hostname !== "" && url.pathname.length > 1 &&
    isDecodable(url)
  ) return url;
  throw new ValidationError(
    `Reading the connection string, ${unshown(text)}: it must be postgresql://USER:PASSWORD@HOST/DATABASE`,
  );
}

/** What was given in place of a URL, which may be one with a password. */
function unshown(text: unknown): string {
  return typeof text === "string" ? `a text of ${text.length} characters` : String(text);
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    return decodeURIComponent(username + password + pathname) !== "";
  } catch {
    return false;
  }
}

function readLogin({ hostname, port, username, password, pathname }: URL): Login {
  return {
    host: hostname,
    port: Number(port) || DEFAULT_PORT,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

const PROTOCOLS = { http: /^https?:$/, websocket: /^wss?:$/ };

function readEndpoint(text: string, kind: "http" | "websocket"): URL {
  const url = URL.parse(text);
  if (url && PROTOCOLS[kind].test(url.protocol)) return url;
  const required = kind === "http" ? "http:// or https://" : "ws:// or wss://";
  throw new ValidationError(
    `Reading the ${kind} endpoint, ${unshown(text)}: it must be a URL that begins with ${required}`,
  );
}

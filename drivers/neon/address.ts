/**
 * The address of a database at Neon.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";
import { hiddenValue } from "../hidden_value.ts";

/** What a login needs. Nothing in it is percent-encoded. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** How a database is reached. */
export interface NeonAddress {
  /** The value of a header in each request. */
  readonly connectionString: string;
  readonly login: Login;
  /** The URL of SQL over HTTP. */
  readonly http: string;
  /** The URL of the WebSocket; `null` if it is unknown. */
  readonly websocket: URL | null;
  /**
   * Whether the host is a pooler. The session of a pooler's client changes after each transaction.
   */
  readonly isPooled: boolean;
}

/**
 * A proxy in place of Neon's own.
 *
 * @category Driver
 */
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
 * @param endpoint The proxy. Default: the one that belongs to the host of the connection string.
 * @throws {ValidationError} If either is not valid. The message contains nothing of the connection
 * string.
 */
export function readNeonAddress(connectionString: string, endpoint?: Endpoint): NeonAddress {
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

/**
 * Reads a connection string as an `http:` URL with the same parts. Parsers read hosts only in URLs
 * of such schemes.
 */
function readConnectionString(text: unknown): URL {
  const [, rest] = typeof text === "string" ? /^postgres(?:ql)?:(.*)$/s.exec(text) ?? [] : [];
  const url = rest === undefined ? null : URL.parse(`http:${rest}`);
  if (
    url && url.username !== "" && url.password !== "" && url.hostname !== "" && url.pathname.length > 1 &&
    isDecodable(url)
  ) return url;
  throw new ValidationError(
    `Reading the connection string, ${hiddenValue(text)}: it must be postgresql://USER:PASSWORD@HOST/DATABASE`,
  );
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
    `Reading the ${kind} endpoint, ${hiddenValue(text)}: it must be a URL that begins with ${required}`,
  );
}

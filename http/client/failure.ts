/**
 * The reason why a request got no answer. The words contain neither the URL nor the request,
 * although runtimes put both into their errors.
 *
 * @module
 */

import { DriverError } from "../../core/errors.ts";

/**
 * Matches the codes of Node and Bun, and the words of Deno and workerd. The order matters, because
 * a certificate fails while connecting.
 */
const REASONS: readonly [pattern: RegExp, reason: string, passes: boolean][] = [
  [
    /CERT_|_CERT|UNABLE_TO_VERIFY|[Cc]ertificate|UnknownIssuer/,
    "the server's TLS certificate is not valid here",
    false,
  ],
  // Deno says `InvalidContentType` if the server speaks plain HTTP.
  [/ERR_SSL|ERR_TLS|\btls\b|\bssl\b|handshake|InvalidContentType/i, "there is no TLS connection to the server", true],
  [
    /HPE_INVALID|invalid HTTP version/i,
    "the server's answer is not HTTP, perhaps because the server expects https",
    true,
  ],
  [/ENOTFOUND|EAI_AGAIN|\bdns\b|getaddrinfo|name resolution/i, "the name of the server is unknown", true],
  [/ECONNREFUSED|connection refused|actively refused/i, "the connection was refused", true],
  [/ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT|timed out/i, "the server did not answer in time", true],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN|unreachable/i, "the server cannot be reached", true],
  [
    /ECONNRESET|EPIPE|UND_ERR_SOCKET|connection (was )?(closed|reset)|network connection lost|other side closed/i,
    "the connection broke off",
    true,
  ],
];

/** Codes of runtimes. A longer text may be a value. */
const CODE = /^[A-Z][A-Z0-9_]{2,40}$/;

/** How many causes are examined, because an error may be its own cause. */
const MAX_CAUSES = 8;

/**
 * The error for a request that got no answer.
 *
 * @param operation What was being done.
 * @param error The error of the request.
 */
export function noAnswer(operation: string, error: unknown): DriverError {
  const causes = causesOf(error);
  const code = causes.map((it) => Reflect.get(it, "code")).find((it) => typeof it === "string" && CODE.test(it));
  const shown: string = code ?? (error instanceof Error ? error.name : typeof error);
  // Codes come first, because a text may contain the name of a server.
  const texts = [
    ...(code === undefined ? [] : [String(code)]),
    ...causes.map(({ message }) => withoutUrls(String(message))),
  ];
  const [known] = texts.flatMap((text) => REASONS.filter(([pattern]) => pattern.test(text)).slice(0, 1));
  const [, reason, retryable = true] = known ?? [];
  const why = reason === undefined ? "" : `: ${reason}`;
  return new DriverError(`Parley over HTTP: ${operation} got no answer${why} (${shown})`, { retryable });
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let it = error; it instanceof Error && causes.length < MAX_CAUSES;) {
    causes.push(it);
    // Node tries each address of a name, and reports all failures.
    it = it instanceof AggregateError && it.errors.length > 0 ? it.errors[0] : it.cause;
  }
  return causes;
}

function withoutUrls(text: string): string {
  return text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s)"']*/gi, "");
}

/**
 * What went wrong with Upstash, as {@linkcode DriverError}. No error contains any part of a
 * request, the token or the URL. A server's text may quote arguments, keys and the script, and the
 * package's text has the whole command behind it, so errors show only known parts of texts.
 *
 * @module
 */

import { DriverError } from "../../../core/errors.ts";

/** The cause of a {@linkcode DriverError}: what is known of the failure. */
class UpstashFailure extends Error {
  static {
    this.prototype.name = "UpstashFailure";
  }
  /** The first word of the server's error, `HTTP_` and a status, `TIMEOUT`, or a code of the system. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What is known of a failure. */
interface Finding {
  /** What it means, in Parley's own words. */
  readonly meaning?: string;
  /** Whether the failure may pass. */
  readonly retryable?: boolean;
}

const NO_PERMISSION =
  "the token must allow writing, scripts and what they call, and every key and the channel of the prefix";

const TOO_LARGE = "the request must be smaller";

const FLAG_REFUSED = "the server is no Upstash: it refuses a flag of the scripts";

/**
 * First words of errors of Redis. With any of them the outcome is certain: the command was not
 * carried out.
 */
const WORDS: Readonly<Record<string, Finding>> = {
  ...Object.fromEntries(
    ["ASK", "BUSYGROUP", "CROSSSLOT", "ERR", "EXECABORT", "MISCONF", "MOVED", "NOSCRIPT", "UNKILLABLE"].map((
      it,
    ) => [it, {}]),
  ),
  BUSY: { meaning: "another script is running", retryable: true },
  CLUSTERDOWN: { retryable: true },
  LOADING: { meaning: "the database is starting", retryable: true },
  MASTERDOWN: { retryable: true },
  NOAUTH: { meaning: "the token is missing" },
  NOPERM: { meaning: NO_PERMISSION },
  NOREPLICAS: { retryable: true },
  OOM: { meaning: "the database has no memory left" },
  READONLY: { meaning: "the database takes no writes at the moment", retryable: true },
  TRYAGAIN: { retryable: true },
  WRONGPASS: { meaning: "the token must be that of the database" },
  WRONGTYPE: { meaning: "a key holds something else: the prefix must be the driver's own" },
};

/**
 * Upstash's own errors, behind `ERR`. Texts: https://upstash.com/docs/redis/troubleshooting
 * (2026-11); numbers may follow.
 */
const TEXTS: readonly (Finding & { readonly text: RegExp })[] = [
  { text: /^max (daily )?requests? limit exceeded/, meaning: "the plan's limit of commands is used up" },
  { text: /^DB capacity quota exceeded/, meaning: "the database is full" },
  { text: /^max request size exceeded/, meaning: TOO_LARGE },
  { text: /^max single record size exceeded/, meaning: "what is stored under one key must be smaller" },
  { text: /^max key size exceeded/, meaning: "a key must be smaller" },
  { text: /^max [a-z ]*(concurrent|per second)[a-z ]*exceeded/, meaning: "too much at once", retryable: true },
  {
    text: /^Command (is not available|"[A-Za-z]+" is not allowed)/,
    meaning: "the server does not offer the command",
  },
  { text: /^Dynamic keys are not allowed/, meaning: "a script used a key that it did not declare" },
  { text: /^Unexpected flag in script shebang/, meaning: FLAG_REFUSED },
  {
    text: /^unknown (redis )?command/i, // Redis names itself where a script calls, Valkey does not.
    meaning: "the server does not know the command: EVAL, EVALSHA, PUBLISH and what scripts call must be neither " +
      "renamed nor switched off",
  },
  { text: /^(ACL failure in script|The user executing the script can't)/, meaning: NO_PERMISSION },
];

/** Statuses that say that the command was not carried out. */
const STATUSES: Readonly<Record<number, Finding>> = {
  401: { meaning: "the token must be that of the database" },
  405: { meaning: "the url must be that of the database's REST API" },
  413: { meaning: TOO_LARGE },
};

/** A code of a runtime, such as `ECONNRESET`. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/**
 * The error for an answer without a result.
 *
 * The outcome is certain if the server refuses in its own words, and for some statuses. Otherwise it is
 * unknown: an answer of a gateway in between says nothing about the command.
 *
 * @param call The caller, for the message: `Upstash: commit`.
 * @param answer The answer, and the length of the request in bytes.
 */
export function answerError(
  call: string,
  { status, text, bytes }: { status: number; text: string; bytes: number },
): DriverError {
  const refusal = status === 429 || status >= 500 ? undefined : readError(text);
  const said = refusal === undefined ? undefined : findingOf(refusal);
  const { code, meaning, retryable } = said ?? { code: `HTTP_${status}`, ...STATUSES[status] ?? { retryable: true } };
  const shown = meaning === TOO_LARGE ? `${meaning} than these ${bytes} bytes` : meaning;
  return driverError(call, code, shown, retryable);
}

/** The error for a request or a stream that took too long. The outcome is unknown. */
export function timeoutError(call: string, ms: number): DriverError {
  return driverError(call, "TIMEOUT", `no answer within ${ms} ms, outcome unknown`, true);
}

/** The error for a request that was given up. */
export function abortedError(call: string): DriverError {
  return driverError(call, "ABORTED", undefined, true);
}

/** The error for a stream that has ended before it said anything. */
export function endedError(call: string): DriverError {
  return driverError(call, "ENDED", "the stream ended at once", true);
}

/** The error for what `fetch` or the package has thrown. */
export function thrownError(call: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  // The package's text is that of the server, with the command behind it.
  const said = member(error, "name") === "UpstashError"
    ? findingOf((member(error, "message") ?? "").replace(/^Command failed: /, ""))
    : undefined;
  if (said) return driverError(call, said.code, said.meaning, said.retryable);
  const codes = [member(error, "code"), member(Object(error).cause, "code")];
  const code = codes.find((it) => it !== null && SYSTEM_CODE.test(it)) ?? nameOf(error);
  return driverError(call, code ?? "NO_ANSWER", "outcome unknown", true);
}

/**
 * Whether the server does not know the script of an `EVALSHA`. The driver then sends the script
 * with `EVAL`.
 */
export function isNoScript(error: unknown): boolean {
  return error instanceof DriverError && error.cause instanceof UpstashFailure && error.cause.code === "NOSCRIPT";
}

/** Whether the server refuses the flag of the scripts. The script has not run then. */
export function isFlagRefused(error: unknown): boolean {
  return error instanceof DriverError && error.cause instanceof UpstashFailure &&
    error.cause.message.endsWith(FLAG_REFUSED);
}

/** Describes an error for the message that push fails; `null` if nothing is known. */
export function describeFailure(error: unknown): string | null {
  return error instanceof DriverError && error.cause instanceof UpstashFailure ? error.cause.message : nameOf(error);
}

function driverError(call: string, code: string, meaning?: string, retryable: boolean = false): DriverError {
  const shown = meaning === undefined ? code : `${code}: ${meaning}`;
  return new DriverError(`${call} failed (${shown})`, { retryable, cause: new UpstashFailure(code, shown) });
}

/** The text of `{"error": ...}`. */
function readError(text: string): string | undefined {
  try {
    return member(JSON.parse(text), "error") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Reads the text of an error, if it is one of Redis's or Upstash's. */
function findingOf(text: string): Finding & { readonly code: string } | undefined {
  // The package looks for NOSCRIPT anywhere in a text.
  const [, code = "", rest = ""] = /^(?:ERR (?=NOSCRIPT\b))?(\S*) ?(.*)$/s.exec(text) ?? [];
  if (!Object.hasOwn(WORDS, code)) return undefined;
  const known = code === "ERR" ? TEXTS.find((it) => it.text.test(rest)) : undefined;
  const [, line] = /\buser_script:(\d{1,5}):/.exec(text) ?? [];
  const place = line === undefined ? {} : { meaning: `in line ${line} of the script` };
  return { code, ...known ?? { ...WORDS[code], ...place } };
}

/**
 * The name of an error, such as `NotCapable` if a permission of Deno is missing; `null` for a name
 * that says nothing.
 */
function nameOf(error: unknown): string | null {
  const name = member(error, "name");
  return name !== null && /^(?!(Type)?Error$)[A-Za-z]{1,60}$/.test(name) ? name : null;
}

function member(value: unknown, name: string): string | null {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "string" ? found : null;
}

/**
 * What went wrong with Upstash, as {@linkcode DriverError}. Nothing of a request, the token or the URL gets into one: a server's text may quote arguments,
 * keys and the script, and the package's text has the whole command behind it. So of texts only what is known is shown.
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
  readonly code: string;
  /** A sentence in words of our own. */
  readonly meaning?: string;
  readonly retryable?: boolean;
}

const NO_PERMISSION =
  "the token must allow writing, scripts and what they call, and every key and the channel of the prefix";

/** First words of Redis's errors that say enough: the command was not carried out. The others pass, as a restart or another script does. */
const WORDS: Readonly<Record<string, Omit<Finding, "code">>> = {
  ASK: {},
  BUSY: { meaning: "another script is running", retryable: true },
  BUSYGROUP: {},
  CLUSTERDOWN: { retryable: true },
  CROSSSLOT: {},
  ERR: {},
  EXECABORT: {},
  LOADING: { meaning: "the database is starting", retryable: true },
  MASTERDOWN: { retryable: true },
  MISCONF: {},
  MOVED: {},
  NOAUTH: { meaning: "the token is missing" },
  NOPERM: { meaning: NO_PERMISSION },
  NOREPLICAS: { retryable: true },
  NOSCRIPT: {},
  OOM: { meaning: "the database has no memory left" },
  READONLY: { meaning: "the database takes no writes at the moment", retryable: true },
  TRYAGAIN: { retryable: true },
  UNKILLABLE: {},
  WRONGPASS: { meaning: "the token must be that of the database" },
  WRONGTYPE: { meaning: "a key holds something else: the prefix must be the driver's own" },
};

const FLAG_REFUSED = "the server is no Upstash: it refuses a flag of the scripts";

/** Upstash's own errors. Texts: https://upstash.com/docs/redis/troubleshooting (2026-11); numbers may follow. */
const TEXTS: readonly { readonly text: RegExp; readonly finding: Omit<Finding, "code"> }[] = [
  {
    text: /^ERR max (daily )?requests? limit exceeded/,
    finding: { meaning: "the plan's limit of commands is used up" },
  },
  { text: /^ERR DB capacity quota exceeded/, finding: { meaning: "the database is full" } },
  { text: /^ERR max request size exceeded/, finding: { meaning: "the request must be smaller" } },
  {
    text: /^ERR max single record size exceeded/,
    finding: { meaning: "what is stored under one key must be smaller" },
  },
  { text: /^ERR max key size exceeded/, finding: { meaning: "a key must be smaller" } },
  {
    text: /^ERR max [a-z ]*(concurrent|per second)[a-z ]*exceeded/,
    finding: { meaning: "too much at once", retryable: true },
  },
  {
    text: /^ERR Command (is not available|"[A-Za-z]+" is not allowed)/,
    finding: { meaning: "the server does not offer the command" },
  },
  { text: /^ERR Dynamic keys are not allowed/, finding: { meaning: "a script used a key that it did not declare" } },
  { text: /^ERR Unexpected flag in script shebang/, finding: { meaning: FLAG_REFUSED } },
  {
    text: /^ERR unknown (redis )?command/i, // Redis names itself where a script calls, Valkey does not.
    finding: {
      meaning:
        "the server does not know the command: EVAL, EVALSHA, PUBLISH and what scripts call must be neither renamed nor switched off",
    },
  },
  { text: /^ERR (ACL failure in script|The user executing the script can't)/, finding: { meaning: NO_PERMISSION } },
];

/** What a status alone says, where the outcome is certain. */
const STATUSES: Readonly<Record<number, string>> = {
  401: "the token must be that of the database",
  405: "the url must be that of the database's REST API",
  413: "the request must be smaller",
};

/** A code as runtimes give them: `ECONNRESET`. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/**
 * The error for an answer that is no result.
 *
 * The outcome is certain where the server says in its own words that it refuses, and for some statuses. For all others nobody knows: an answer of a
 * gateway in between says nothing about the command.
 *
 * @param call Who calls, and what: `Upstash: commit`.
 * @param answer The answer, and how long the request was.
 */
export function answerError(
  call: string,
  { status, text, bytes }: { status: number; text: string; bytes: number },
): DriverError {
  const refusal = status === 429 || status >= 500 ? undefined : readError(text);
  const said = refusal === undefined ? undefined : findingOf(refusal);
  const meaning = STATUSES[status];
  const finding = said ?? { code: `HTTP_${status}`, ...(meaning === undefined ? { retryable: true } : { meaning }) };
  // A proxy may forward a text without the status, or a status without the text.
  const isTooLarge = status === 413 || finding.meaning === STATUSES[413];
  return driverError(
    call,
    isTooLarge ? { ...finding, meaning: `${STATUSES[413]} than these ${bytes} bytes` } : finding,
  );
}

/** The error for a request or a stream that took too long, of which nobody knows the outcome. */
export function timeoutError(call: string, ms: number): DriverError {
  return driverError(call, { code: "TIMEOUT", meaning: `no answer within ${ms} ms, outcome unknown`, retryable: true });
}

/** The error for a request that was given up. */
export function abortedError(call: string): DriverError {
  return driverError(call, { code: "ABORTED", retryable: true });
}

/** The error for a stream that has ended before it said anything. */
export function endedError(call: string): DriverError {
  return driverError(call, { code: "ENDED", meaning: "the stream ended at once", retryable: true });
}

/** The error for what `fetch` or the package has thrown. */
export function thrownError(call: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  // Of the package: the server's text, with the command behind it.
  const said = member(error, "name") === "UpstashError"
    ? findingOf((member(error, "message") ?? "").replace(/^Command failed: /, ""))
    : undefined;
  if (said) return driverError(call, said);
  const codes = [member(error, "code"), member(Object(error).cause, "code")];
  const code = codes.find((it) => it !== null && SYSTEM_CODE.test(it)) ?? nameOf(error);
  return driverError(call, { code: code ?? "NO_ANSWER", meaning: "outcome unknown", retryable: true });
}

/** Whether the server does not know the script of an `EVALSHA`. Then it is to be sent with `EVAL`. */
export function isNoScript(error: unknown): boolean {
  return error instanceof DriverError && error.cause instanceof UpstashFailure && error.cause.code === "NOSCRIPT";
}

/** Whether the server refuses the flag that every script has. It has not run then. */
export function isFlagRefused(error: unknown): boolean {
  return error instanceof DriverError && error.cause instanceof UpstashFailure &&
    error.cause.message.endsWith(FLAG_REFUSED);
}

/** What may be said of an error in a sentence about push. */
export function describeFailure(error: unknown): string | null {
  return error instanceof DriverError && error.cause instanceof UpstashFailure ? error.cause.message : nameOf(error);
}

function driverError(call: string, { code, meaning, retryable = false }: Finding): DriverError {
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

/** What the server's text says, if it is one of Redis's or Upstash's. */
function findingOf(text: string): Finding | undefined {
  // The package looks for the word anywhere.
  const [code = ""] = (/^ERR NOSCRIPT\b/.test(text) ? text.slice("ERR ".length) : text).split(" ", 1);
  const word = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  if (!word) return undefined;
  const known = TEXTS.find((it) => it.text.test(text));
  if (known) return { code, ...known.finding };
  const [, line] = /\buser_script:(\d{1,5}):/.exec(text) ?? [];
  return { code, ...word, ...(line !== undefined && { meaning: `in line ${line} of the script` }) };
}

/** As `NotCapable`, where Deno was not given a permission. That of every other error says nothing. */
function nameOf(error: unknown): string | null {
  const name = member(error, "name");
  return name !== null && /^(?!(Type)?Error$)[A-Za-z]{1,60}$/.test(name) ? name : null;
}

function member(value: unknown, name: string): string | null {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "string" ? found : null;
}

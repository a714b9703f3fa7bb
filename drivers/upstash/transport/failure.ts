/**
 * What went wrong with Upstash, as {@linkcode DriverError}, also if a request took too long. No
 * error contains any part of a request, the token or the URL. A server's text may quote arguments,
 * keys and the script, and the package's text has the whole command behind it, so errors show only
 * known parts of texts.
 *
 * @module
 */

import { DriverError } from "../../../core/errors.ts";
import { type TimeLimit, withTimeLimit } from "../../../core/time/time_limit.ts";

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

/** What a failure means, in Parley's own words, and whether it may pass. */
interface Finding {
  readonly meaning?: string;
  readonly retryable?: boolean | undefined;
}

const NO_PERMISSION =
  "the token must allow writing, scripts and what they call, and every key and the channel of the prefix";
const TOO_LARGE = "the request must be smaller";
const WRONG_TOKEN = "the token must be that of the database";
const FLAG_REFUSED = "the server is no Upstash: it refuses a flag of the scripts";

/**
 * First words of errors of Redis. With any of them the outcome is certain: the command was not
 * carried out.
 */
const WORDS: Readonly<Record<string, Finding>> = {
  ...{ ASK: {}, BUSYGROUP: {}, CROSSSLOT: {}, ERR: {}, EXECABORT: {}, MISCONF: {}, MOVED: {}, NOSCRIPT: {} },
  UNKILLABLE: {},
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
  WRONGPASS: { meaning: WRONG_TOKEN },
  WRONGTYPE: { meaning: "a key holds something else: the prefix must be the driver's own" },
};

/**
 * Upstash's own errors, behind `ERR`. Texts: https://upstash.com/docs/redis/troubleshooting
 * (2026-11); numbers may follow.
 */
const TEXTS: readonly (readonly [text: RegExp, meaning: string, retryable?: boolean])[] = [
  [/^max (daily )?requests? limit exceeded/, "the plan's limit of commands is used up"],
  [/^DB capacity quota exceeded/, "the database is full"],
  [/^max request size exceeded/, TOO_LARGE],
  [/^max single record size exceeded/, "what is stored under one key must be smaller"],
  [/^max key size exceeded/, "a key must be smaller"],
  [/^max [a-z ]*(concurrent|per second)[a-z ]*exceeded/, "too much at once", true],
  [/^Command (is not available|"[A-Za-z]+" is not allowed)/, "the server does not offer the command"],
  [/^Dynamic keys are not allowed/, "a script used a key that it did not declare"],
  [/^Unexpected flag in script shebang/, FLAG_REFUSED],
  [
    /^unknown (redis )?command/i, // Redis names itself where a script calls, Valkey does not.
    "the server does not know the command: EVAL, EVALSHA, PUBLISH and what scripts call must be neither " +
    "renamed nor switched off",
  ],
  [/^(ACL failure in script|The user executing the script can't)/, NO_PERMISSION],
];

/** Statuses that say that the command was not carried out. */
const STATUSES: Readonly<Record<number, Finding>> = {
  401: { meaning: WRONG_TOKEN },
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
  const { code, ...finding } = said ?? { code: `HTTP_${status}`, ...STATUSES[status] ?? { retryable: true } };
  const isTooLarge = finding.meaning === TOO_LARGE;
  return upstashError(call, code, isTooLarge ? { meaning: `${TOO_LARGE} than these ${bytes} bytes` } : finding);
}

/**
 * Runs until the time is up or `stop` aborts, whether or not `run` obeys its signal.
 *
 * @param call The caller, for the message: `Upstash: commit`.
 * @throws {DriverError} If it is given up, or if `run` throws.
 */
export async function within<T>(
  call: string,
  limit: Omit<TimeLimit, "error">,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = { meaning: `no answer within ${limit.ms} ms, outcome unknown`, retryable: true };
  const error = (reason: "timeout" | "stopped") =>
    reason === "stopped" ? upstashError(call, "ABORTED", { retryable: true }) : upstashError(call, "TIMEOUT", timeout);
  try {
    return await withTimeLimit({ ...limit, error }, ({ signal }) => run(signal));
  } catch (error) {
    throw thrownError(call, error);
  }
}

/** The error for what `fetch` or the package has thrown. */
function thrownError(call: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  // The package's text is that of the server, with the command behind it.
  const said = member(error, "name") === "UpstashError"
    ? findingOf((member(error, "message") ?? "").replace(/^Command failed: /, ""))
    : undefined;
  if (said) return upstashError(call, said.code, said);
  const codes = [member(error, "code"), member(Object(error).cause, "code")];
  const code = codes.find((it) => it !== null && SYSTEM_CODE.test(it)) ?? nameOf(error);
  return upstashError(call, code ?? "NO_ANSWER", { meaning: "outcome unknown", retryable: true });
}

/**
 * Whether the server does not know the script of an `EVALSHA`. The driver then sends the script
 * with `EVAL`.
 */
export function isNoScript(error: unknown): boolean {
  return failureOf(error)?.code === "NOSCRIPT";
}

/** Whether the server refuses the flag of the scripts. The script has not run then. */
export function isFlagRefused(error: unknown): boolean {
  return failureOf(error)?.message.endsWith(FLAG_REFUSED) ?? false;
}

/** Describes an error for the message that push fails; `null` if nothing is known. */
export function describeFailure(error: unknown): string | null {
  return failureOf(error)?.message ?? nameOf(error);
}

function failureOf(error: unknown): UpstashFailure | null {
  return error instanceof DriverError && error.cause instanceof UpstashFailure ? error.cause : null;
}

/** The error for a code, with what it means. */
export function upstashError(call: string, code: string, { meaning, retryable = false }: Finding): DriverError {
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
  const [, meaning, retryable] = (code === "ERR" && TEXTS.find(([text]) => text.test(rest))) || [];
  if (meaning !== undefined) return { code, meaning, retryable };
  const [, line] = /\buser_script:(\d{1,5}):/.exec(text) ?? [];
  return { code, ...WORDS[code], ...line !== undefined && { meaning: `in line ${line} of the script` } };
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

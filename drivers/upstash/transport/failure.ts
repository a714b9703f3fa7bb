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
import { SYSTEM_CODE, textMember } from "../../foreign_error.ts";
import { readJson } from "../../read_json.ts";

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

/** A code of {@linkcode UpstashFailure}, what it means in Parley's own words, and whether it may pass. */
interface Finding {
  readonly code: string;
  readonly meaning?: string | undefined;
  readonly retryable?: boolean | undefined;
}

const NO_PERMISSION =
  "the token must allow writing, scripts and what they call, and every key and the channel of the prefix";
const TOO_LARGE = "the request must be smaller";
const WRONG_TOKEN = "the token must be that of the database";
const FLAG_REFUSED = "the server is no Upstash: it refuses a flag of the scripts";

const word = (words: string) => new RegExp(`^(${words})(?!\\S)`);

/**
 * How errors of Redis and of Upstash begin, and what they mean. The first line that fits counts.
 * With any of them the outcome is certain: the command was not carried out. Upstash's own texts:
 * https://upstash.com/docs/redis/troubleshooting (2026-11); numbers may follow.
 */
const REFUSALS: readonly (readonly [start: RegExp, meaning?: string | undefined, retryable?: boolean])[] = [
  [/^ERR max (daily )?requests? limit exceeded/, "the plan's limit of commands is used up"],
  [/^ERR DB capacity quota exceeded/, "the database is full"],
  [/^ERR max request size exceeded/, TOO_LARGE],
  [/^ERR max single record size exceeded/, "what is stored under one key must be smaller"],
  [/^ERR max key size exceeded/, "a key must be smaller"],
  [/^ERR max [a-z ]*(concurrent|per second)[a-z ]*exceeded/, "too much at once", true],
  [/^ERR Command (is not available|"[A-Za-z]+" is not allowed)/, "the server does not offer the command"],
  [/^ERR Dynamic keys are not allowed/, "a script used a key that it did not declare"],
  [/^ERR Unexpected flag in script shebang/, FLAG_REFUSED],
  [
    /^ERR unknown (redis )?command/i, // Redis names itself where a script calls, Valkey does not.
    "the server does not know the command: EVAL, EVALSHA, PUBLISH and what scripts call must be neither " +
    "renamed nor switched off",
  ],
  [/^ERR (ACL failure in script|The user executing the script can't)/, NO_PERMISSION],
  [word("BUSY"), "another script is running", true],
  [word("LOADING"), "the database is starting", true],
  [word("NOAUTH"), "the token is missing"],
  [word("NOPERM"), NO_PERMISSION],
  [word("OOM"), "the database has no memory left"],
  [word("READONLY"), "the database takes no writes at the moment", true],
  [word("WRONGPASS"), WRONG_TOKEN],
  [word("WRONGTYPE"), "a key holds something else: the prefix must be the driver's own"],
  [word("CLUSTERDOWN|MASTERDOWN|NOREPLICAS|TRYAGAIN"), undefined, true],
  [word("ASK|BUSYGROUP|CROSSSLOT|ERR|EXECABORT|MISCONF|MOVED|NOSCRIPT|UNKILLABLE")],
];

/** Statuses that say that the command was not carried out. */
const STATUSES: Readonly<Record<number, Omit<Finding, "code">>> = {
  401: { meaning: WRONG_TOKEN },
  405: { meaning: "the url must be that of the database's REST API" },
  413: { meaning: TOO_LARGE },
};

/**
 * The error for an answer without a result, to a request of so many bytes. The outcome is certain if
 * the server refuses in its own words, and for some statuses. Otherwise it is unknown: an answer of a
 * gateway in between says nothing about the command.
 */
export function answerError(
  call: string,
  { status, text, bytes }: { status: number; text: string; bytes: number },
): DriverError {
  const said = status === 429 || status >= 500 ? undefined : findingOf(textMember(readJson(text), "error") ?? "");
  const failure = said ?? { code: `HTTP_${status}`, ...STATUSES[status] ?? { retryable: true } };
  if (failure.meaning !== TOO_LARGE) return upstashError(call, failure);
  return upstashError(call, { ...failure, meaning: `${TOO_LARGE} than these ${bytes} bytes` });
}

/**
 * Runs until the time is up or `stop` aborts, whether or not `run` obeys its signal. Throws a
 * {@linkcode DriverError} if it is given up, or if `run` throws.
 */
export async function within<T>(
  call: string,
  limit: Omit<TimeLimit, "error">,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const failures = {
    stopped: { code: "ABORTED", retryable: true },
    timeout: { code: "TIMEOUT", meaning: `no answer within ${limit.ms} ms, outcome unknown`, retryable: true },
  };
  const error = (reason: "timeout" | "stopped") => upstashError(call, failures[reason]);
  return await withTimeLimit({ ...limit, error }, ({ signal }) => run(signal)).catch((thrown) => {
    throw thrownError(call, thrown);
  });
}

/** The error for what `fetch` or the package has thrown. */
function thrownError(call: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  // The package's text is that of the server, with the command behind it.
  const said = textMember(error, "name") === "UpstashError"
    ? findingOf((textMember(error, "message") ?? "").replace(/^Command failed: /, ""))
    : undefined;
  if (said) return upstashError(call, said);
  const codes = [textMember(error, "code"), textMember(Object(error).cause, "code")];
  const code = codes.find((it) => it !== null && SYSTEM_CODE.test(it)) ?? nameOf(error);
  return upstashError(call, { code: code ?? "NO_ANSWER", meaning: "outcome unknown", retryable: true });
}

/** Whether the server does not know the script of an `EVALSHA`. */
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

/** The error for a failure. */
export function upstashError(call: string, { code, meaning, retryable = false }: Finding): DriverError {
  const shown = meaning === undefined ? code : `${code}: ${meaning}`;
  return new DriverError(`${call} failed (${shown})`, { retryable, cause: new UpstashFailure(code, shown) });
}

/** Reads the text of an error, if it is one of Redis's or Upstash's. */
function findingOf(text: string): Finding | undefined {
  // The package looks for NOSCRIPT anywhere in a text.
  const said = text.replace(/^ERR (?=NOSCRIPT\b)/, "");
  const refusal = REFUSALS.find(([start]) => start.test(said));
  if (!refusal) return undefined;
  const [, line] = /\buser_script:(\d{1,5}):/.exec(said) ?? [];
  const [, meaning = line && `in line ${line} of the script`, retryable] = refusal;
  return { code: said.split(/\s/, 1)[0]!, meaning, retryable };
}

/**
 * The name of an error, such as `NotCapable` if a permission of Deno is missing; `null` for a name
 * that says nothing.
 */
function nameOf(error: unknown): string | null {
  const name = textMember(error, "name");
  return name !== null && /^(?!(Type)?Error$)[A-Za-z]{1,60}$/.test(name) ? name : null;
}

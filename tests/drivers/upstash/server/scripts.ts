/**
 * Scripts as Upstash runs them, on a stock Redis.
 *
 * Upstash has a flag that Redis does not know, truncates numbers, and bills what a script calls. So
 * each script runs in a wrapper, under another SHA-1 than its own. Errors do not have the place
 * that Redis adds to them, because it would be a place in the wrapper.
 *
 * @module
 */

import { ANSWER_TIME, type ScriptClock, TAKE_TIME, withTime } from "./clock.ts";
import { bytesOf, errorReply, errorText, type Reply, type RespCommand, textOf } from "./resp.ts";

/** A command to run in place of a client's, and how to read its reply. */
export interface Prepared {
  readonly command: RespCommand;
  /** The client's reply, and how many commands its script has called. */
  readonly read: (reply: Reply) => { reply: Reply; calls: number };
}

const FLAG = "allow-key-locking";
const SHEBANG = /^#!lua([^\n]*)(?:\n|$)/;
const EVALS = new Set(["EVAL", "EVAL_RO"]);
const EVALSHAS = new Set(["EVALSHA", "EVALSHA_RO"]);

/**
 * Wraps a script. The wrapper is on the line of the first statement, so that line numbers in
 * messages of Lua stay right.
 *
 * - Numbers among the arguments lose their fraction. Stock Redis writes 3.7 as
 *   `3.7000000000000002`.
 * - With the flag, every key must be in `KEYS`. Redis itself says which keys a command has. It is
 *   documented that the flag refuses commands for the whole database, but not with which text.
 * - An error is returned, not raised, because raising would lose the count. Nothing is undone in
 *   either case. `xpcall` catches the error, because Redis has a `pcall` of its own that turns it
 *   into a text.
 *
 * Text of Upstash's: https://upstash.com/docs/redis/features/key-locking (2026-11). The next
 * version of that page allows keys that share a hash tag with a declared one. A driver that
 * declares all keys is not affected.
 */
function wrapped(source: string, { isLocking, hasClock }: { isLocking: boolean; hasClock: boolean }): string {
  const check = isLocking ? CHECK : "";
  return `${
    hasClock ? TAKE_TIME : ""
  }local _calls, _real, _keys = 0, redis, {} for _, k in ipairs(KEYS) do _keys[k] = true end ${check}local function _of(call) \
return function(...) local args, n = {...}, select('#', ...) for i = 1, n do local v = args[i] if type(v) == 'number' then \
args[i] = string.format('%.0f', v < 0 and math.ceil(v) or math.floor(v)) end end _calls = _calls + 1 \
${hasClock ? ANSWER_TIME : ""}${
    isLocking
      ? "local refused = _check(args, n) if refused then if call == _real.call then error(refused) end return refused end "
      : ""
  }\
return call(unpack(args, 1, n)) end end \
local _ok, _result = xpcall((function(redis) return function() ${source}
end end)(setmetatable({ call = _of(redis.call), pcall = _of(redis.pcall) }, { __index = redis })), function(e) return e end)
if not _ok then _result = type(_result) == 'table' and { err = _result.err } or { err = 'ERR ' .. tostring(_result) } end
return { _calls, _result }`;
}

const CHECK = `local function _check(args, n) local name = string.upper(tostring(args[1])) \
if name == 'FLUSHDB' or name == 'FLUSHALL' then return _real.error_reply(\
"ERR " .. name .. " is not allowed in Lua scripts when 'allow-key-locking' flag is set.") end \
local found = _real.pcall('COMMAND', 'GETKEYS', unpack(args, 1, n)) if found.err then return nil end \
for _, k in ipairs(found) do if not _keys[k] then return _real.error_reply(\
"ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: " .. k) end end return nil end `;

/**
 * The scripts that the server knows. It can forget all of them without effect on other servers in
 * front of the same Redis.
 */
export class Scripts {
  /** The client's SHA-1 -> the SHA-1 of the wrapped script, which Redis knows. */
  readonly #known = new Map<string, string>();
  readonly #clock: ScriptClock | undefined;
  readonly #isProxy: boolean;

  constructor({ clock, isProxy = false }: { readonly clock?: ScriptClock; readonly isProxy?: boolean } = {}) {
    this.#clock = clock;
    this.#isProxy = isProxy;
  }

  /** Prepares a command; `undefined` if it does not concern scripts. */
  async prepare(args: RespCommand): Promise<Prepared | { answer: Reply } | undefined> {
    if (this.#isProxy) return undefined;
    const name = textOf(args[0] ?? new Uint8Array()).toUpperCase();
    if (EVALS.has(name) && args.length > 2) return await this.#eval(args);
    if (EVALSHAS.has(name) && args.length > 2) return this.#evalsha(args);
    return name === "SCRIPT" ? await this.#script(args) : undefined;
  }

  async #eval([name, source, ...rest]: RespCommand): Promise<Prepared> {
    const { script, sha } = await this.#learn(source);
    return {
      command: withTime([name ?? script, script, ...rest], this.#clock),
      read: (reply) => this.#unwrapped(reply, sha),
    };
  }

  #evalsha([name, given, ...rest]: RespCommand): Prepared | { answer: Reply } {
    const sha = textOf(given ?? new Uint8Array()).toLowerCase();
    const known = this.#known.get(sha);
    if (!name || known === undefined) return { answer: errorReply("NOSCRIPT No matching script. Please use EVAL.") };
    return {
      command: withTime([name, bytesOf(known), ...rest], this.#clock),
      read: (reply) => this.#unwrapped(reply, sha),
    };
  }

  async #script(args: RespCommand): Promise<Prepared | { answer: Reply } | undefined> {
    const [subcommand = "", ...shas] = args.slice(1).map(textOf);
    if (/^load$/i.test(subcommand) && args.length === 3) {
      const { script, sha } = await this.#learn(args[2]);
      const loaded: Reply = { kind: "bulk", bytes: bytesOf(sha) };
      const read = (reply: Reply) => ({ reply: reply.kind === "error" ? this.#forget(sha, reply) : loaded, calls: 0 });
      return { command: [bytesOf("SCRIPT"), bytesOf("LOAD"), script], read };
    }
    if (/^exists$/i.test(subcommand)) {
      const items: Reply[] = shas.map((sha) => ({
        kind: "integer",
        digits: this.#known.has(sha.toLowerCase()) ? "1" : "0",
      }));
      return { answer: { kind: "array", items } };
    }
    if (!/^flush$/i.test(subcommand)) return undefined;
    this.#known.clear(); // Redis itself keeps them, because other servers use it too.
    return { answer: { kind: "status", text: bytesOf("OK") } };
  }

  async #learn(source: Uint8Array = new Uint8Array()) {
    const script = bytesOf(translated(textOf(source), this.#clock !== undefined));
    const sha = await sha1(source);
    this.#known.set(sha, await sha1(script));
    return { script, sha };
  }

  /** A script that does not compile is not kept, and one that Redis has lost is lost. */
  #forget(sha: string, error: Reply): Reply {
    if (/^NOSCRIPT|^ERR Error compiling|shebang/.test(errorText(error) ?? "")) this.#known.delete(sha);
    return error;
  }

  #unwrapped(reply: Reply, sha: string): { reply: Reply; calls: number } {
    if (reply.kind !== "array" || !reply.items) return { reply: this.#forget(sha, reply), calls: 0 };
    const [calls, result = { kind: "bulk", bytes: null }] = reply.items;
    return { reply: result, calls: calls?.kind === "integer" ? Number(calls.digits) : 0 };
  }
}

/** A script for Redis: without the flag, and in its wrapper. */
function translated(source: string, hasClock: boolean): string {
  const shebang = SHEBANG.exec(source);
  if (!shebang) return wrapped(source, { isLocking: false, hasClock });
  const [line, options = ""] = shebang;
  const flags = /\bflags=(\S*)/.exec(options)?.[1]?.split(",") ?? [];
  const others = flags.filter((flag) => flag !== FLAG && flag !== "");
  const rest = options.replace(/\s*\bflags=\S*/, others.length > 0 ? ` flags=${others.join()}` : "");
  return `#!lua${rest}\n${wrapped(source.slice(line.length), { isLocking: flags.includes(FLAG), hasClock })}`;
}

/** The name of a script in Redis. */
export async function sha1(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes.slice())).toHex();
}

/**
 * A clock for scripts that tests move by hand. Only `TIME` answers with it; keys expire by the
 * clock of Redis.
 *
 * @module
 */

import { bytesOf, type RespCommand } from "./resp.ts";

/** The time, in epoch milliseconds. */
export type ScriptClock = () => number;

/**
 * Lua that takes the time off the arguments, of which it is the last. It goes before a script, on
 * the first line.
 */
export const TAKE_TIME = "local _time = tonumber(table.remove(ARGV)) ";

/** Lua that answers `TIME` in a script, in place of Redis. */
export const ANSWER_TIME = "if string.upper(tostring(args[1])) == 'TIME' then \
return { string.format('%.0f', math.floor(_time / 1000)), string.format('%.0f', _time % 1000 * 1000) } end ";

/** The arguments of a script, with the time. */
export function withTime(args: RespCommand, clock: ScriptClock | undefined): RespCommand {
  return clock ? [...args, bytesOf(String(clock()))] : args;
}

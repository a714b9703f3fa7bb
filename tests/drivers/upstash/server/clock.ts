/**
 * A clock for scripts that tests move by hand: `TIME` answers with it, and nothing else knows of it. Keys expire by the clock of Redis.
 *
 * @module
 */

import { bytesOf, type Command } from "./resp.ts";

/** The time, in epoch milliseconds. */
export type ScriptClock = () => number;

/** Takes the time off the arguments, where it is the last. It goes before a script, on its first line. */
export const TAKE_TIME = "local _time = tonumber(table.remove(ARGV)) ";

/** What `TIME` answers in a script, in place of Redis. */
export const ANSWER_TIME = "if string.upper(tostring(args[1])) == 'TIME' then \
return { string.format('%.0f', math.floor(_time / 1000)), string.format('%.0f', _time % 1000 * 1000) } end ";

/** The arguments of a script, with the time. */
export function withTime(args: Command, clock: ScriptClock | undefined): Command {
  return clock ? [...args, bytesOf(String(clock()))] : args;
}

/**
 * Carries out the commands of a request.
 *
 * @module
 */

import { type Commands, notPermitted } from "./commands.ts";
import type { Redis } from "./redis.ts";
import { type Replica, tokenOf } from "./replica.ts";
import { command, errorText, type Reply, type RespCommand } from "./resp.ts";
import type { Prepared, Scripts } from "./scripts.ts";

/** State that all requests of one server share. */
export interface Backend {
  readonly redis: Redis;
  readonly commands: Commands;
  readonly scripts: Scripts;
  readonly replica: Replica | undefined;
  readonly counts: Counts;
}

/** Counts of commands that were carried out. */
export interface Counts {
  sent: number;
  called: number;
  billed: number;
  writes: number;
}

/** The commands of a request. */
export interface CarriedOut {
  readonly list: readonly RespCommand[];
  /** Whether they are a transaction. */
  readonly isAtomic: boolean;
  readonly isReadOnly: boolean;
  /** The position that the request's sync token names. */
  readonly position: number;
}

/** The result of a request. */
export interface CommandOutcome {
  /** A reply for each command, or the one error of a transaction that was discarded. */
  readonly replies: readonly Reply[];
  readonly isDiscarded: boolean;
  readonly syncToken: string;
}

/** A command for Redis, or the answer that does not need Redis. */
type Step = { readonly isRefused: boolean; readonly isRead: boolean } & (Prepared | { readonly answer: Reply });

/**
 * Carries out the commands. The commands of a pipeline follow each other, with those of other
 * requests in between.
 */
export async function carryOut(backend: Backend, execution: CarriedOut): Promise<CommandOutcome> {
  const { replica, redis, counts } = backend;
  const steps: Step[] = [];
  for (const args of execution.list) steps.push(await step(backend, args, execution.isReadOnly));
  const isRead = steps.every((it) => it.isRead || "answer" in it);
  const reached = replica && isRead ? await replica.reach(execution.position) : undefined;
  if (replica && reached !== undefined) replica.reads += 1;
  const target = replica && reached !== undefined ? replica.redis : redis;
  const run = execution.isAtomic ? transaction : pipeline;
  const { replies, isDiscarded } = await run(target, steps, counts);
  if (!isRead) counts.writes += 1;
  return { replies, isDiscarded, syncToken: tokenOf(reached ?? await replica?.now() ?? counts.writes) };
}

async function step({ commands, scripts, counts }: Backend, args: RespCommand, isReadOnly: boolean): Promise<Step> {
  const { answer, isRead, isHarmless, isBilled } = commands.kindOf(args);
  counts.sent += 1;
  counts.billed += isBilled ? 1 : 0;
  const refused = isReadOnly && !isHarmless ? notPermitted(args) : answer;
  if (refused) return { answer: refused, isRefused: refused.kind === "error", isRead };
  const prepared = await scripts.prepare(args) ?? { command: args, read: (reply: Reply) => ({ reply, calls: 0 }) };
  return { ...prepared, isRefused: false, isRead };
}

async function pipeline(
  redis: Redis,
  steps: readonly Step[],
  counts: Counts,
): Promise<{ replies: Reply[]; isDiscarded: false }> {
  const replies: Reply[] = [];
  for (const it of steps) {
    if ("answer" in it) replies.push(it.answer);
    else replies.push(...(await redis.send([it.command])).map((reply) => readBy(it, reply, counts)));
  }
  return { replies, isDiscarded: false };
}

/**
 * If Upstash refuses a command, or Redis when the command is queued, all of them are discarded. If
 * a command fails later, nothing is undone.
 */
async function transaction(
  redis: Redis,
  steps: readonly Step[],
  counts: Counts,
): Promise<{ replies: Reply[]; isDiscarded: boolean }> {
  const refused = steps.find(({ isRefused }) => isRefused);
  if (refused && "answer" in refused) return { replies: [refused.answer], isDiscarded: true };
  const queued = steps.flatMap((it) => "command" in it ? [it.command] : []);
  const answers = await redis.send([command("MULTI"), ...queued, command("EXEC")]);
  const executed = answers.at(-1);
  if (executed?.kind !== "array" || !executed.items) {
    const error = answers.slice(1).find((it) => errorText(it) !== undefined) ?? executed;
    return { replies: error ? [error] : [], isDiscarded: true };
  }
  const results = executed.items.values();
  const replies = steps.map((it) => "answer" in it ? it.answer : readBy(it, results.next().value as Reply, counts));
  return { replies, isDiscarded: false };
}

/** A script costs one command, and one for each command that it calls; see `mod.ts`. */
function readBy(prepared: Prepared, answer: Reply, counts: Counts): Reply {
  const { reply, calls } = prepared.read(answer);
  counts.called += calls;
  counts.billed += calls;
  return reply;
}

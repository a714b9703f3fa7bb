/**
 * Carries out the commands of a request.
 *
 * @module
 */

import { type Commands, notPermitted } from "./commands.ts";
import type { Redis } from "./redis.ts";
import { type Replica, tokenOf } from "./replica.ts";
import { type Command, command, errorText, type Reply } from "./resp.ts";
import type { Prepared, Scripts } from "./scripts.ts";

/** What the requests of one server share. */
export interface Backend {
  readonly redis: Redis;
  readonly commands: Commands;
  readonly scripts: Scripts;
  readonly replica: Replica | undefined;
  readonly counts: Counts;
}

/** What was carried out. */
export interface Counts {
  sent: number;
  called: number;
  billed: number;
  writes: number;
}

/** What there is to carry out. */
export interface Execution {
  readonly list: readonly Command[];
  /** As a transaction. */
  readonly isAtomic: boolean;
  readonly isReadOnly: boolean;
  /** The position that the request's sync token names. */
  readonly position: number;
}

/** What came of it. */
export interface Outcome {
  /** A reply for each command; of a transaction that was discarded as a whole, the one error. */
  readonly replies: readonly Reply[];
  readonly isDiscarded: boolean;
  readonly syncToken: string;
}

/** A command that Redis is to see, or the answer that it gets without. */
type Step = { readonly isRefused: boolean; readonly isRead: boolean } & (Prepared | { readonly answer: Reply });

/** Carries them out. A pipeline is one command after the other, with those of other requests in between. */
export async function execute(backend: Backend, execution: Execution): Promise<Outcome> {
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

async function step({ commands, scripts, counts }: Backend, args: Command, isReadOnly: boolean): Promise<Step> {
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

/** One that Upstash refuses, or Redis when it is queued, discards all of them. One that fails later undoes nothing. */
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

/** A script costs a command for itself, and one for each that it calls; see `mod.ts`. */
function readBy(prepared: Prepared, answer: Reply, counts: Counts): Reply {
  const { reply, calls } = prepared.read(answer);
  counts.called += calls;
  counts.billed += calls;
  return reply;
}

/**
 * `Driver.commit`.
 *
 * @module
 */

import type {
  CommitRequest,
  CommitResult,
  Operation,
  OperationResult,
  OutcomeTag,
  Transition,
} from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { type Answer, list, parseEntry, toOutcome } from "../answer.ts";
import { OWN_KINDS } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { ScriptRequest } from "../script_request.ts";
import { expire } from "./purge.ts";

/** Commits what a run has done. */
export async function commit(calls: ScriptCalls, request: CommitRequest): Promise<CommitResult> {
  checkPositions(request);
  const answer = await callCommit(calls, request);
  const { meta } = answer;
  if (!("results" in meta)) return { state: meta.state };
  await expire(calls, meta.expiring);
  const results = request.operations.map((operation, index): OperationResult => {
    const result = list<ResultPart>(meta.results)[index];
    if (result?.given && operation.type === "record") return { outcome: { ...operation.outcome } };
    return toResult(answer, result, operation.position);
  });
  return { state: meta.state, results, woken: [...list<string>(meta.woken)], now: meta.now };
}

/** Refuses what no store would carry out. */
function checkPositions({ operations }: CommitRequest): void {
  for (const { position, type } of operations) {
    if (position === null && type !== "send" && type !== "setEvent" && type !== "writeStream") {
      throw new DriverError(`Committing ${type}: it must have a position`, { retryable: false });
    }
  }
}

async function callCommit(calls: ScriptCalls, commit: CommitRequest): Promise<Answer<CommitMeta>> {
  const { workflowId, epoch, owner, number, leaseMs, operations, transition } = commit;
  const { keys, retention, maxBytes } = calls;
  const request = new ScriptRequest(keys, "waiting", "together");
  request.shareSchedule();
  request.shareIndexes("parked");
  request.workflow(workflowId, ...OWN_KINDS);
  const streams = operations.flatMap((operation) => {
    return operation.type === "writeStream" || operation.type === "closeStream" ? [operation.key] : [];
  });
  const document = {
    ...{ epoch, owner, number, leaseMs, maxBytes, retention, streams: [...new Set(streams)] },
    operations: operations.map((operation) => operationPart(request, workflowId, operation, retention)),
    transition: transition ? transitionPart(request, transition, retention) : undefined,
    claim: transition ? request.key(keys.claim(owner)) : undefined,
  };
  return await calls.call<CommitMeta>("commit", request, document);
}

function transitionPart(request: ScriptRequest, transition: Transition, retention: number | undefined): object {
  if (transition.to === "park") return { ...transition, problem: request.value(transition.problem) };
  if (transition.to !== "end") return transition;
  const { to, status, output, error } = transition;
  request.shareIndexes("PENDING", status);
  request.shareEnded(retention);
  return { to, status, output: request.value(output), error: request.value(error) };
}

function operationPart(
  request: ScriptRequest,
  own: string,
  operation: Operation,
  retention: number | undefined,
): object {
  const { position, label, type } = operation;
  return { type, label, position: position ?? undefined, ...detailsPart(request, own, operation, retention) };
}

function detailsPart(request: ScriptRequest, own: string, operation: Operation, retention: number | undefined): object {
  switch (operation.type) {
    case "record": {
      const { tag, value, topic } = operation.outcome;
      return { tag, value: request.value(value), topic: topic ?? undefined };
    }
    case "send":
      return messagePart(request, operation.message);
    case "setEvent":
      return { key: operation.key, value: request.value(operation.value), what: `e${operation.key}` };
    case "writeStream":
      return { stream: operation.key, value: request.value(operation.value) };
    case "closeStream":
      return { stream: operation.key };
    case "start": {
      const { workflowId, name, input } = operation.workflow;
      request.share("families");
      request.shareIndexes("PENDING");
      return { workflow: request.workflow(workflowId), name, input: request.value(input) };
    }
  }
  const timeoutMs = operation.timeoutMs ?? undefined;
  switch (operation.type) {
    case "receive":
      request.queues(own, operation.topics);
      return { timeoutMs, topics: operation.topics };
    case "observeEvent": {
      const { workflowId, key, started } = operation;
      return {
        timeoutMs,
        workflow: request.workflow(workflowId, "events"),
        key,
        what: `e${key}`,
        started: started || undefined,
      };
    }
    case "observeResult": {
      // A child whose result is read returns to where purges look.
      request.shareEnded(retention);
      const { workflowId, together, started } = operation;
      return {
        timeoutMs,
        workflow: request.workflow(workflowId),
        what: together ? "t" : "r",
        started: started || undefined,
      };
    }
    case "pause":
      return { timeoutMs, attempts: operation.attempts };
    case "sleep":
      return { timeoutMs };
  }
}

/** A message, for the scripts that send. */
export function messagePart(
  request: ScriptRequest,
  message: { destinationId: string; topic: string; messageId: string; dedupeKey: string; value: string },
): object {
  const { destinationId, topic, messageId, dedupeKey, value } = message;
  return { to: request.queues(destinationId, [topic]), topic, messageId, dedupeKey, value: request.value(value) };
}

type CommitMeta = { state: "lost" | "cancelled" } | {
  state: "held" | "released";
  results: object;
  woken: object;
  now: number;
  expiring: object;
};

/** What came of an operation: one of these. */
interface ResultPart {
  /** It recorded the outcome that it was given. */
  readonly given?: true;
  readonly tag?: OutcomeTag;
  readonly value?: number;
  readonly topic?: string;
  /** A complete entry, which was there before. */
  readonly entry?: number;
  /** It is open, and has so many milliseconds left; -1: without a deadline. */
  readonly left?: number;
  /** The answer has grown too large: it did nothing. */
  readonly deferred?: true;
  /** A repeat has an operation that the first call had not. */
  readonly unknown?: number;
}

function toResult(answer: Answer<unknown>, result: ResultPart | undefined, position: number | null): OperationResult {
  if (result?.tag) return { outcome: toOutcome(result.tag, answer.optional(result.value) ?? undefined, result.topic) };
  if (result?.entry !== undefined) return { outcome: parseEntry(answer.value(result.entry)).outcome };
  if (result?.deferred) return { deferred: true };
  if (result?.left !== undefined) return { remainingMs: result.left < 0 ? null : result.left };
  throw new DriverError(
    `Committing position ${position}: the number of this commit was used before, without this operation`,
    {
      retryable: false,
    },
  );
}

/**
 * `Driver.commit`.
 *
 * @module
 */

import type { CommitRequest, CommitResult, Operation, OperationResult } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { parseEntry } from "../answer.ts";
import type { Keys } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";

/** `Driver.commit`. */
export async function commit({ call, keys }: ScriptCalls, request: CommitRequest): Promise<CommitResult> {
  checkPositions(request);
  const { workflowId, owner, operations, transition } = request;
  const answer = await call<CommitAnswer>("commit", [
    ...keys.ofAll([workflowId]),
    ...operations.flatMap((operation) => keysOf(keys, operation)),
    ...transition ? [keys.claim(owner)] : [],
  ], request);
  if (!("results" in answer)) return answer;
  const { state, woken, now } = answer;
  const results = operations.map((operation, index) => toResult(operation, answer.results[index]));
  return { state, results, woken, now };
}

/** Refuses an operation without a position that must have one. */
function checkPositions({ operations }: CommitRequest): void {
  for (const { position, type } of operations) {
    if (position === null && type !== "send" && type !== "setEvent" && type !== "writeStream") {
      throw new DriverError(`Committing ${type}: it must have a position`, { retryable: false });
    }
  }
}

/** The keys of other workflows that an operation may touch. */
function keysOf(keys: Keys, operation: Operation): string[] {
  if (operation.type === "send") return keys.of(operation.message.destinationId, "inbox");
  if (operation.type === "start") return keys.of(operation.workflow.workflowId);
  return "workflowId" in operation ? keys.of(operation.workflowId) : [];
}

type CommitAnswer = { state: "lost" } | { state: "cancelled" } | {
  state: "held" | "released";
  results: ResultPart[];
  woken: string[];
  now: number;
};

/**
 * The result of an operation. `given`: it recorded the outcome that it was given. `entry`: an entry
 * as it is stored, which was complete before. `unknown`: this is a repeat, and the first call had
 * no such operation.
 */
type ResultPart = OperationResult | { given: true } | { entry: string } | { unknown: true };

function toResult(operation: Operation, result: ResultPart | undefined): OperationResult {
  if (result && "given" in result && operation.type === "record") return { outcome: { ...operation.outcome } };
  if (result && "entry" in result) return { outcome: parseEntry(result.entry).outcome };
  if (result && ("outcome" in result || "remainingMs" in result || "deferred" in result)) return result;
  throw new DriverError(
    `Committing position ${operation.position}: the number of this commit was used before, without this operation`,
    { retryable: false },
  );
}

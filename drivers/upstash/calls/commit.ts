/**
 * `Driver.commit`.
 *
 * @module
 */

import type {
  CommitRequest,
  CommitResult,
  Committed,
  Operation,
  OperationResult,
} from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { checkPositions } from "../../commit_rules.ts";
import type { Keys } from "../keys.ts";
import { parseEntry, type ScriptCalls } from "../script_calls.ts";

export async function commit({ call, keys }: ScriptCalls, request: CommitRequest): Promise<CommitResult> {
  const { workflowId, owner, operations, transition } = request;
  checkPositions(request);
  const answer = await call<CommitAnswer>("commit", [
    ...keys.ofAll([workflowId]),
    ...operations.flatMap((operation) => keysOf(keys, operation)),
    ...transition ? [keys.claim(owner)] : [],
  ], request);
  if (!("results" in answer)) return answer;
  return { ...answer, results: operations.map((operation, index) => toResult(operation, answer.results[index])) };
}

/** The keys of other workflows that an operation may touch. */
function keysOf(keys: Keys, operation: Operation): string[] {
  if (operation.type === "send") return keys.of(operation.message.destinationId, "inbox");
  if (operation.type === "start") return keys.of(operation.workflow.workflowId);
  return "workflowId" in operation ? keys.of(operation.workflowId) : [];
}

type CommitAnswer = Exclude<CommitResult, Committed> | Omit<Committed, "results"> & { results: ResultPart[] };

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

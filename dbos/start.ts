/**
 * Starts workflows of DBOS, and cancels, resumes and deletes them.
 *
 * @module
 */

import {
  UnsupportedError,
  ValidationError,
  WorkflowActiveError,
  WorkflowConflictError,
  WorkflowEndedError,
  WorkflowNotFoundError,
} from "../core/errors.ts";
import { checkName, checkWholeNumber, toPositiveMilliseconds } from "../core/values/checks.ts";
import { toDueTime } from "../core/values/due_time.ts";
import { deleting } from "../core/time/retry.ts";
import type { CallOptions, DbosCalls, Write } from "./calls.ts";
import type { DbosStartOptions } from "./options.ts";
import { toStatus } from "./records.ts";
import { cancelStatement, deleteStatement, resumeStatement, type StartColumn, startStatement } from "./sql/writes.ts";
import { toPortable } from "./values/portable.ts";

/** The highest priority number, which comes last. */
const MAX_PRIORITY = 2 ** 31 - 1;

/** A workflow to start. */
export interface DbosStart {
  readonly workflowId: string;
  readonly name: string;
  readonly queue: string;
  readonly options: DbosStartOptions;
}

/** The arguments of a start. */
export interface DbosArguments {
  /** The name of the workflow, for errors. */
  readonly name: string;
  /** The input as the caller has it, checked. */
  readonly input: unknown;
  /** The largest size of all arguments together, encoded, in bytes. */
  readonly limit: number;
  readonly options: Pick<DbosStartOptions, "positionalArgs" | "namedArgs">;
}

/**
 * Encodes the arguments.
 *
 * @throws {ValidationError} If an input and `positionalArgs` are given, `positionalArgs` is no list,
 * or portable JSON cannot show an argument.
 * @throws {ValueTooLargeError} If all together are larger than the limit.
 */
export function encodeArguments({ name, input, limit, options }: DbosArguments): string {
  const { positionalArgs = input === undefined ? [] : [input], namedArgs = {} } = options;
  if (options.positionalArgs !== undefined && input !== undefined) {
    throw new ValidationError("Starting a workflow with an input and positionalArgs: there must be only one of them");
  }
  if (!Array.isArray(positionalArgs)) {
    throw new ValidationError(`Starting a workflow with positionalArgs of type ${typeof positionalArgs}: use a list`);
  }
  return toPortable({ positionalArgs, namedArgs }, `input of workflow ${JSON.stringify(name)}`, limit);
}

/**
 * Inserts a workflow, unless its ID exists.
 *
 * @returns Whether this call has inserted it.
 * @throws {WorkflowConflictError} If the ID exists under another name, class or instance.
 */
export async function startDbosWorkflow(
  calls: DbosCalls,
  { workflowId, name, queue, options }: DbosStart,
  args: string,
): Promise<boolean> {
  const { priority = 0, partitionKey = null, runTimeout, className = null, configName = null } = options;
  const { applicationVersion = null, applicationName = null } = options;
  checkWholeNumber(priority, "priority", 0, MAX_PRIORITY);
  const names = { queue, partitionKey, className, configName, applicationVersion, applicationName };
  for (const [what, text] of Object.entries(names)) if (text !== null) checkName(text, what);
  const due = toDueTime(options);
  const columns: Partial<Record<StartColumn, string | number | null>> = {
    workflow_uuid: workflowId,
    name,
    class_name: className,
    config_name: configName,
    queue_name: queue,
    priority,
    queue_partition_key: partitionKey,
    application_version: applicationVersion,
    application_name: applicationName,
    workflow_timeout_ms: runTimeout === undefined ? null : toPositiveMilliseconds(runTimeout, "runTimeout"),
    authenticated_user: "",
    creator_xid: crypto.randomUUID(),
  };
  const { workflow } = await calls.catalogue();
  if (due && !workflow.has("delay_until_epoch_ms")) throw missing("with a delay");
  if (applicationName !== null && !workflow.has("application_name")) throw missing("for an app by its name");
  const delay = due && "inMs" in due ? `${due.inMs}` : null;
  const at = due && "at" in due ? `${due.at}` : null;
  const params = [JSON.stringify(columns), args, delay, at];
  const row = await calls.call<
    { name: string | null; class: string | null; config: string | null; created: boolean }
  >("start", startStatement, params);
  const isSame = row!.name === name && row!.class === className && row!.config === configName;
  if (!isSame) throw new WorkflowConflictError(workflowId);
  return row!.created;
}

function missing(what: string): UnsupportedError {
  return new UnsupportedError(`Starting a workflow ${what}: the DBOS of this app is too old for that`);
}

/** The answer of a statement that changes the status of a workflow. */
interface Changed {
  readonly before: string | null;
  readonly changed: boolean;
}

/** The number of times that a change is tried, if the workflow changes at the same time. */
const MAX_TRIES = 3;

/** Cancels a workflow. See `Client.cancel`. */
export async function cancelDbosWorkflow(calls: DbosCalls, workflowId: string, children: boolean): Promise<void> {
  const write: Write = (of, catalogue) => cancelStatement(of, catalogue, children);
  const before = await change(calls, "cancel", write, workflowId, (status) => isActive(status));
  if (before === null || before === "CANCELLED") return;
  throw new WorkflowEndedError(workflowId, toStatus(before));
}

/** Resumes a workflow. See `Client.resume`. */
export async function resumeDbosWorkflow(calls: DbosCalls, workflowId: string): Promise<void> {
  const before = await change(calls, "resume", resumeStatement, workflowId, isResumable);
  if (before === null || isActive(before)) return;
  throw new WorkflowEndedError(
    workflowId,
    toStatus(before),
    "CANCELLED or MAX_RECOVERY_ATTEMPTS_EXCEEDED, or still active",
  );
}

/** Deletes a workflow. See `Client.delete`. */
export async function deleteDbosWorkflow(calls: DbosCalls, workflowId: string): Promise<void> {
  const tries: CallOptions<Changed>["tries"] = (send) =>
    deleting(send, (answer) => answer?.before === null && !answer.changed, { before: null, changed: true });
  const allows = (status: string) => !isActive(status);
  const before = await change(calls, "delete", deleteStatement, workflowId, allows, { tries });
  if (before !== null) throw new WorkflowActiveError(workflowId, toStatus(before));
}

/**
 * Changes a workflow. If its status was right but it did not change, something else has changed it
 * at the same time, and the statement is sent again.
 *
 * @returns The status that prevents the change; `null` if it was made.
 * @throws {WorkflowNotFoundError} If the workflow does not exist.
 */
async function change(
  calls: DbosCalls,
  operation: string,
  write: Write,
  workflowId: string,
  allows: (status: string) => boolean,
  options: CallOptions<Changed> = {},
): Promise<string | null> {
  for (let tries = 1;; tries++) {
    const { before, changed } = (await calls.call<Changed>(operation, write, [workflowId], options))!;
    if (changed) return null;
    if (before === null) throw new WorkflowNotFoundError(workflowId);
    if (!allows(before) || tries === MAX_TRIES) return before;
  }
}

function isActive(status: string): boolean {
  return ["ENQUEUED", "PENDING"].includes(toStatus(status));
}

function isResumable(status: string): boolean {
  return ["CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"].includes(toStatus(status));
}

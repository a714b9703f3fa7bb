/**
 * Which calls a short function carries out: see `../sql/short/mod.ts`.
 *
 * @module
 */

import type {
  CommitRequest,
  CreateRequest,
  NewMessage,
  Operation,
  OperationResult,
  Outcome,
  SendResult,
  Transition,
} from "../../../core/driver/driver.ts";
import type { ShortName } from "./statements.ts";

/** The parameters of a statement. All are texts. */
export type Params = (string | null)[];

/** A call of a short function. */
export interface ShortCall {
  readonly statement: ShortName;
  readonly params: Params;
  /**
   * Returns the answer of the contract. The function for all cases gives such an answer already.
   */
  answer(result: unknown): unknown;
}

/** A longer lease is left to the function for all cases, which cuts it off. */
const MAX_LEASE_MS = 1e12;

/** Returns the short call for a start, or null if there is none. */
export function shortCreate({ workflowId, name, input, owner, leaseMs }: CreateRequest): ShortCall | null {
  const lease = leaseMs === null ? null : leaseText(leaseMs);
  return lease === null ? null : checked({
    statement: "createOne",
    params: [workflowId, name, input, owner, lease],
    answer: (now) => typeof now !== "number" ? now : { created: true, name, epoch: 1, createdAt: now, now },
  });
}

const RUN = ["own", "run_epoch", "run_owner", "number", "lease"];
const ENTRY = ["place", "entry_label", "age"];

/** Calls that a statement carries out together with others. */
export interface OfMany {
  readonly statement: "createMany" | "commitMany";
  /** What the statement takes for the call: the parameters of its short function, by name. */
  readonly member: Readonly<Record<string, string | null>>;
}

/** The short calls of which a statement can carry out several, with the names of their parameters. */
const OF_MANY: Partial<Record<ShortName, readonly [OfMany["statement"], readonly string[]]>> = {
  createOne: ["createMany", ["own", "workflow_name", "workflow_input", "run_owner", "lease"]],
  record: ["commitMany", [...RUN, ...ENTRY, "entry_tag", "entry_value", "entry_topic", "tries"]],
  end: ["commitMany", [...RUN, "end_status", "end_output", "end_error", "end_failed"]],
};

/** Returns how a call travels together with others; null if no short function takes several of it. */
export function ofMany(call: ShortCall | null): OfMany | null {
  const found = call && OF_MANY[call.statement];
  if (!call || !found) return null;
  const [statement, names] = found;
  return { statement, member: Object.fromEntries(names.map((name, index) => [name, call.params[index] ?? null])) };
}

/** Returns the short call for messages from outside, or null if there is none. */
export function shortSend(messages: readonly NewMessage[]): ShortCall | null {
  const [message, ...others] = messages;
  if (!message || others.length > 0) return null;
  const { destinationId, messageId } = message;
  return checked({
    statement: "sendOne",
    params: messageParams(message),
    answer: (isWoken): SendResult | unknown =>
      typeof isWoken !== "boolean" ? isWoken : {
        state: "sent",
        receipts: [{ messageId, duplicate: false }],
        woken: isWoken ? [destinationId] : [],
      },
  });
}

/** Returns the short call for a commit, or null if there is none. */
export function shortCommit(request: CommitRequest): ShortCall | null {
  const { workflowId, epoch, owner, number, leaseMs, operations, transition } = request;
  const lease = leaseText(leaseMs);
  const made = operations.length === 0
    ? shortEnd(transition)
    : transition === null
    ? shortOperations(operations)
    : null;
  return made === null || lease === null ? null : checked({
    statement: made.statement,
    params: [workflowId, `${epoch}`, owner, `${number}`, lease, ...made.params],
    answer: (result) =>
      isLong(result) ? result : {
        state: transition === null ? "held" : "released",
        results: made.outcomes(result).map((outcome): OperationResult => ({ outcome })),
        woken: [],
        now: Array.isArray(result) ? result[0] : result,
      },
  });
}

/** The part of a short call that depends on the operations. */
interface Made {
  readonly statement: ShortName;
  readonly params: Params;
  outcomes(result: unknown): Outcome[];
}

function shortEnd(transition: Transition | null): Made | null {
  if (transition?.to !== "end") return null;
  const { status, output, error, failedPosition } = transition;
  return { statement: "end", params: [status, output, error, numberText(failedPosition)], outcomes: () => [] };
}

function shortOperations(operations: readonly Operation[]): Made | null {
  const [operation] = operations as readonly [Operation];
  if (operation.type === "writeStream") return shortWrites(operation, operations);
  if (operations.length > 1) return null;
  const params = [numberText(operation.position), operation.label, ageText(operation)];
  if (operation.type === "setEvent") {
    params.push(operation.key, operation.value);
    return { statement: "setEvent", params, outcomes: () => [{ tag: "done" }] };
  }
  if (operation.position === null) return null;
  switch (operation.type) {
    case "record": {
      const { tag, value = null, topic = null } = operation.outcome;
      params.push(tag, value, topic, numberText(operation.attempts || null));
      return { statement: "record", params, outcomes: () => [operation.outcome] };
    }
    case "send": {
      const value = operation.message.messageId;
      params.push(...messageParams(operation.message));
      return { statement: "sendFromRun", params, outcomes: () => [{ tag: "sent", value }] };
    }
    case "receive": {
      const { topics: [topic, ...others], timeoutMs, until } = operation;
      if (topic === undefined || others.length > 0 || until !== undefined) return null;
      params.push(topic, timeoutMs === null ? null : `${timeoutMs}`);
      return { statement: "receive", params, outcomes: (result) => [{ tag: "message", value: textIn(result), topic }] };
    }
    case "observeEvent": {
      const { workflowId, key, timeoutMs, until, started } = operation;
      if (until !== undefined) return null;
      params.push(workflowId, key, timeoutMs === null ? null : `${timeoutMs}`, `${started}`);
      return { statement: "observeEvent", params, outcomes: (result) => [{ tag: "value", value: textIn(result) }] };
    }
    default:
      return null;
  }
}

type Write = Extract<Operation, { type: "writeStream" }>;

/** Writes to one stream, at positions that follow each other or at none. */
function shortWrites(first: Write, operations: readonly Operation[]): Made | null {
  const { position, key, label } = first;
  const values: string[] = [];
  for (const [index, it] of operations.entries()) {
    const isNext = it.position === (position === null ? null : position + index);
    if (it.type !== "writeStream" || it.key !== key || it.label !== label || !isNext) return null;
    values.push(it.value);
  }
  const params = [numberText(position), label];
  const outcomes = (): Outcome[] => values.map(() => ({ tag: "done" }));
  const [only, ...others] = values;
  if (only !== undefined && others.length === 0) {
    return { statement: "writeOne", params: [...params, ageText(first), key, only], outcomes };
  }
  const ages = operations.map(({ ageMs = 0 }) => ageMs);
  const agesText = ages.some((age) => age > 0) ? JSON.stringify(ages) : null;
  return { statement: "writeStream", params: [...params, agesText, key, JSON.stringify(values)], outcomes };
}

function numberText(number: number | null | undefined): string | null {
  return number === null || number === undefined ? null : `${number}`;
}

/** The age of an operation, or null if it is 0. */
function ageText({ ageMs = 0 }: Operation): string | null {
  return ageMs > 0 ? `${ageMs}` : null;
}

function messageParams({ destinationId, topic, messageId, dedupeKey, value }: NewMessage): string[] {
  return [destinationId, topic, messageId, dedupeKey, value];
}

/**
 * Returns the length of a lease in whole milliseconds, or null if no short function takes such a
 * lease.
 */
function leaseText(ms: number): string | null {
  return ms >= 0 && ms <= MAX_LEASE_MS ? `${Math.ceil(ms)}` : null;
}

/**
 * Leaves a call to the function for all cases if a parameter must be refused, because Postgres
 * cannot store the text.
 */
function checked(call: ShortCall): ShortCall | null {
  const isPlain = (text: string | null) => text === null || text.isWellFormed() && !text.includes("\0");
  return call.params.every(isPlain) ? call : null;
}

/** Tells whether an answer is that of the function for all cases. */
function isLong(result: unknown): boolean {
  return typeof result === "object" && !Array.isArray(result);
}

/** The text in a list of the time and a text. */
function textIn(result: unknown): string | null {
  return Array.isArray(result) && typeof result[1] === "string" ? result[1] : null;
}

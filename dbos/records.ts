/**
 * Converts the rows of a system database to the records that the readers of the core take.
 *
 * @module
 */

import type {
  EventRecord,
  HistoryRecord,
  ListedWorkflow,
  MessageRecord,
  StreamRecord,
  WorkflowStatus,
} from "../core/driver/driver.ts";
import { STATUSES } from "../core/driver/statuses.ts";
import { NO_TOPIC } from "./sql/names.ts";
import { toStored, toStoredOrNull } from "./values/stored.ts";

/** The statuses that only DBOS has, and what they mean here. */
const OTHER_STATUSES: Readonly<Record<string, WorkflowStatus>> = {
  DELAYED: "ENQUEUED",
  RETRIES_EXCEEDED: "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
};

/** Converts a status. One of a later DBOS is taken for active. */
export function toStatus(status: string): WorkflowStatus {
  return STATUSES.find((it) => it === status) ?? OTHER_STATUSES[status] ?? "PENDING";
}

/** The statuses of DBOS that one here stands for. */
export function fromStatus(status: WorkflowStatus): string[] {
  return [status, ...Object.keys(OTHER_STATUSES).filter((it) => OTHER_STATUSES[it] === status)];
}

/** A row of a workflow. */
export interface WorkflowRow {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly created: number;
  readonly updated: number;
  readonly ended: number | null;
  readonly attempts: number | null;
  readonly format: string | null;
  readonly input?: string | null;
  readonly output: string | null;
  readonly error: string | null;
  readonly unread?: number;
}

/** Converts a workflow. */
export function toWorkflow(row: WorkflowRow): ListedWorkflow {
  const status = toStatus(row.status);
  const hasSucceeded = status === "SUCCESS";
  return {
    workflowId: row.id,
    name: row.name ?? "",
    status,
    waiting: null,
    input: toStoredOrNull(row.input ?? null, row.format, "input"),
    output: hasSucceeded ? toStoredOrNull(row.output, row.format) : null,
    error: toStoredOrNull(row.error, row.format, "error"),
    failed: null,
    createdAt: row.created,
    updatedAt: row.updated,
    endedAt: row.ended,
    unread: row.unread ?? null,
    generation: 0,
    rewinds: 0,
    // DBOS counts the first run too.
    recoveryAttempts: Math.max(0, (row.attempts ?? 0) - 1),
    problem: null,
    parks: 0,
  };
}

/** A row of an operation. */
export interface OperationRow {
  readonly position: number;
  readonly name: string;
  readonly output: string | null;
  readonly error: string | null;
  readonly format: string | null;
  readonly child: string | null;
  readonly started: number | null;
  readonly ended: number | null;
}

/** The kinds of operations by their names in DBOS. All others are steps. */
const KINDS: Readonly<Record<string, string>> = {
  "DBOS.send": "send",
  "DBOS.recv": "recv",
  "DBOS.setEvent": "setEvent",
  "DBOS.getEvent": "getEvent",
  "DBOS.sleep": "sleep",
  "DBOS.writeStream": "writeStream",
  "DBOS.closeStream": "closeStream",
  "DBOS.getResult": "result",
  "DBOS.now": "now",
  "DBOS.randomUUID": "uuid",
};

/** The operations whose output is of use to DBOS alone. */
const WITHOUT_VALUE = new Set(["send", "setEvent", "sleep", "writeStream", "closeStream"]);

/** Converts an operation. */
export function toOperation(row: OperationRow): HistoryRecord {
  const { position, name, output, error, format, child } = row;
  const isStart = child !== null && KINDS[name] !== "result";
  const kind = isStart ? "start" : KINDS[name] ?? "step";
  const at = row.started ?? row.ended ?? 0;
  return {
    position,
    label: isStart || kind === "step" ? `${kind} ${JSON.stringify(name)}` : kind,
    outcome: error !== null
      ? { tag: "error", value: toStored(error, format, "error") }
      : isStart
      ? { tag: "done", value: child }
      : WITHOUT_VALUE.has(kind) || output === null
      ? { tag: "done", value: null }
      : { tag: "value", value: toStored(output, format) },
    startedAt: at,
    endedAt: row.ended ?? at,
    attempts: 0,
    deadline: null,
  };
}

/** Between the idempotency key and the destination, in the ID of a message. */
const KEY_SEPARATOR = "::";

/** The ID of a message with an idempotency key. */
export function keyedMessageId(key: string, destinationId: string): string {
  return key + KEY_SEPARATOR + destinationId;
}

/** A row of a message. */
export interface MessageRow {
  readonly number: number;
  readonly id: string;
  readonly topic: string | null;
  readonly value: string;
  readonly format: string | null;
  readonly sent: number;
  readonly consumed: boolean;
  readonly position: number | null;
  readonly received: number | null;
}

/** Converts a message to a workflow. */
export function toMessageRecord(row: MessageRow, workflowId: string): MessageRecord {
  const end = KEY_SEPARATOR + workflowId;
  const key = row.id.endsWith(end) && row.id.length > end.length ? row.id.slice(0, -end.length) : null;
  return {
    number: row.number,
    messageId: row.id,
    topic: row.topic === null || row.topic === NO_TOPIC ? "" : row.topic,
    dedupeKey: key === null ? `id:${row.id}` : `key:${key}`,
    value: toStored(row.value, row.format),
    sentAt: row.sent,
    // Older databases do not say which operation has received it. It was not before it was sent.
    received: row.consumed ? { position: row.position ?? -1, at: row.received ?? row.sent } : null,
  };
}

/** A row of an event. */
export interface EventRow {
  readonly key: string;
  readonly value: string;
  readonly format: string | null;
  readonly version: number;
  readonly updated: number;
}

/** Converts an event. */
export function toEventRecord({ key, value, format, version, updated }: EventRow): EventRecord {
  return { key, version: Math.max(1, version), value: toStored(value, format), updatedAt: updated };
}

/** The value that closes a stream. */
const END = "__DBOS_STREAM_CLOSED__";
/** The end of a stream in all forms in which it is written. TypeScript's SDK wrote the bare word up to 4.20. */
const ENDS = new Set([END, JSON.stringify(END), `{"json":${JSON.stringify(END)},"__dbos_serializer":"superjson"}`]);

/** Whether a row of a stream is its end, and no value. */
export function isStreamEnd(value: string | null): boolean {
  return value !== null && ENDS.has(value);
}

/** A row of a stream, in the list of a workflow's streams. */
export interface StreamRow {
  readonly key: string;
  readonly rows: number;
  readonly last: string | null;
  readonly updated: number;
}

/** Converts a stream. */
export function toStreamRecord({ key, rows, last, updated }: StreamRow): StreamRecord {
  const closed = isStreamEnd(last);
  return { key, length: closed ? rows - 1 : rows, closed, updatedAt: updated };
}

/**
 * Reads a system database as the readers of the core read a store.
 *
 * @module
 */

import type {
  EventRecord,
  EventSnapshot,
  HistoryRecord,
  ListPage,
  ListQuery,
  MessageQuery,
  MessageRecord,
  PartPage,
  PartQuery,
  StreamRecord,
  Watch,
  WatchTarget,
  WorkflowRecord,
} from "../core/driver/driver.ts";
import { UnsupportedError } from "../core/errors.ts";
import type { GappedSnapshot, ReadDriver } from "../core/read/host.ts";
import { parseListCursor } from "../core/values/list_cursor.ts";
import type { DbosCalls, Write } from "./calls.ts";
import {
  type EventRow,
  fromStatus,
  isStreamEnd,
  type MessageRow,
  type OperationRow,
  type StreamRow,
  toEventRecord,
  toMessageRecord,
  toOperation,
  toStatus,
  toStreamRecord,
  toWorkflow,
  type WorkflowRow,
} from "./records.ts";
import { NO_TOPIC } from "./sql/names.ts";
import {
  eventsStatement,
  eventStatement,
  historyStatement,
  type ListFilter,
  listStatement,
  messagesStatement,
  streamsStatement,
  streamStatement,
  workflowStatement,
} from "./sql/reads.ts";
import { toStored } from "./values/stored.ts";

/** The highest offset of a stream. */
const MAX_OFFSET = 2 ** 31 - 1;
/** The output of a workflow without one: JSON's `null`. */
const NO_OUTPUT = toStored("null", "portable_json");

/** Opens a watch, or returns `null` where there is no push. */
export type OpenWatch = ((target: WatchTarget, hint: () => void) => Watch) | null;

const NOT_WATCHED: Watch = { live: false, close() {} };

/** A page of parts, as the statements answer. */
interface Rows<Row> {
  readonly status: string;
  readonly found: number | null;
  readonly rows: readonly Row[];
}

/** Reads a system database. */
export class DbosReads implements ReadDriver {
  readonly #calls: DbosCalls;
  readonly #open: OpenWatch;
  readonly #hasVersions: boolean;

  /**
   * @param open Opens watches of events and streams. DBOS hints nothing else.
   * @param hasVersions Whether events have their versions, which take longer to read. Without them,
   * the version of each event is 1.
   */
  constructor(calls: DbosCalls, open: OpenWatch, hasVersions: boolean) {
    this.#calls = calls;
    this.#open = open;
    this.#hasVersions = hasVersions;
  }

  watch(target: WatchTarget, hint: () => void): Watch {
    const isHinted = target.startsWith("event:") || target.startsWith("stream:");
    return this.#open && isHinted ? this.#open(target, hint) : NOT_WATCHED;
  }

  async readWorkflow(workflowId: string, { counts = false } = {}): Promise<WorkflowRecord | null> {
    const row = await this.#calls.call<WorkflowRow>(
      "status",
      (of, catalogue) => workflowStatement(of, catalogue, counts),
      [workflowId],
    );
    if (row === undefined) return null;
    const workflow = toWorkflow(row);
    // A workflow without a result has the output that its reader decodes.
    const output = workflow.status === "SUCCESS" ? workflow.output ?? NO_OUTPUT : workflow.output;
    return { ...workflow, input: workflow.input!, output };
  }

  async listWorkflows(query: ListQuery): Promise<ListPage> {
    if (query.problem || query.due) {
      throw new UnsupportedError(
        `Listing workflows of DBOS by ${
          query.problem ? "problem" : "due"
        }: DBOS does not park workflows, and does not ` +
          "say which are due; list them by status or name",
      );
    }
    const { statuses, name, idPrefix, createdAfter, createdBefore, limit, values } = query;
    const cursor = parseListCursor(query.cursor);
    const given: Readonly<Record<ListFilter, string | null | undefined>> = {
      statuses: statuses && JSON.stringify(statuses.flatMap(fromStatus)),
      name,
      idPrefix: idPrefix || null,
      createdAfter: createdAfter?.toString(),
      createdBefore: createdBefore?.toString(),
      cursor: cursor && JSON.stringify(cursor),
    };
    const filters = (Object.keys(given) as ListFilter[]).filter((filter) => given[filter] != null);
    const params = [`${limit + 1}`, ...filters.map((filter) => given[filter]!)];
    const write: Write = (of, catalogue) => listStatement(of, catalogue, filters, values);
    const { rows, found } = (await this.#calls.call<{ rows: WorkflowRow[]; found: number }>("list", write, params))!;
    const workflows = rows.slice(0, limit).map(toWorkflow);
    const last = workflows.at(-1);
    const isLast = found === workflows.length || last === undefined;
    return { workflows, cursor: isLast ? null : JSON.stringify([last.createdAt, last.workflowId]) };
  }

  async readEvent({ workflowId, key }: { workflowId: string; key: string }): Promise<EventSnapshot> {
    const row = await this.#calls.callPlain<
      { status: string | null; value: string | null; format: string | null; version?: number }
    >("getEvent", (of) => eventStatement(of, this.#hasVersions), [workflowId, key]);
    const { status, value, format, version } = row!;
    return {
      event: value === null ? null : { version: Math.max(1, version ?? 1), value: toStored(value, format) },
      status: status === null ? null : toStatus(status),
    };
  }

  async readStream(
    { workflowId, key, from, limit }: { workflowId: string; key: string; from: number; limit: number },
  ): Promise<GappedSnapshot> {
    const row = await this.#calls.callPlain<{
      status: string;
      last: [offset: number, value: string | null] | null;
      rows: [offset: number, value: string, format: string | null][];
      // One row more shows whether the stream ends behind the page. A page without rows is of the end only.
    }>("readStream", streamStatement, [
      workflowId,
      key,
      `${Math.min(from, MAX_OFFSET)}`,
      `${limit === 0 ? 0 : limit + 1}`,
    ]);
    if (row === undefined) return { values: [], tail: 0, closed: false, status: null };
    const { last, rows } = row;
    const start = Math.max(from, rows[0]?.[0] ?? from);
    const values: string[] = [];
    let end = last === null ? undefined : isStreamEnd(last[1]) ? last[0] : undefined;
    for (const [offset, value, format] of rows) {
      if (isStreamEnd(value)) end = offset;
      // A fork may have lost values. A page ends before such a gap.
      if (end === offset || values.length === limit || offset !== start + values.length) break;
      values.push(toStored(value, format));
    }
    const tail = end ?? (last === null ? 0 : last[0] + 1);
    return { from: start, values, tail, closed: end !== undefined, status: toStatus(row.status) };
  }

  async readHistory({ workflowId, after, limit }: PartQuery<number>): Promise<PartPage<HistoryRecord>> {
    const params = [workflowId, after?.toString() ?? null, `${limit + 1}`];
    const rows = await this.#calls.callPlain<Rows<OperationRow>>("history", historyStatement, params);
    return toPage(rows, limit, toOperation);
  }

  async listMessages({ workflowId, after, limit, state, topic }: MessageQuery): Promise<PartPage<MessageRecord>> {
    const params = [workflowId, after?.toString() ?? null, `${limit + 1}`, state, topic === "" ? NO_TOPIC : topic];
    const rows = await this.#calls.call<Rows<MessageRow>>("messages", messagesStatement, params);
    return toPage(rows, limit, (row) => toMessageRecord(row, workflowId));
  }

  async listEvents({ workflowId, after, limit }: PartQuery<string>): Promise<PartPage<EventRecord>> {
    const params = [workflowId, after, `${limit + 1}`];
    return toPage(
      await this.#calls.callPlain<Rows<EventRow>>("events", eventsStatement, params),
      limit,
      toEventRecord,
    );
  }

  async listStreams({ workflowId, after, limit }: PartQuery<string>): Promise<PartPage<StreamRecord>> {
    const params = [workflowId, after, `${limit + 1}`];
    return toPage(
      await this.#calls.callPlain<Rows<StreamRow>>("streams", streamsStatement, params),
      limit,
      toStreamRecord,
    );
  }
}

function toPage<Row, Item>(rows: Rows<Row> | undefined, limit: number, convert: (row: Row) => Item): PartPage<Item> {
  if (rows === undefined) return { status: null, items: [], more: false };
  const items = rows.rows.slice(0, limit).map(convert);
  return { status: toStatus(rows.status), items, more: (rows.found ?? 0) > items.length };
}

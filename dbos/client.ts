/**
 * The operations of `Client` on the workflows of a DBOS app.
 *
 * @module
 */

import { type EventKey, type SendOptions, type SendReceipt, type StreamKey, toChannel } from "../core/channel.ts";
import {
  type Client,
  GET_EVENT_TIMEOUT,
  type ListOptions,
  type OutgoingMessage,
  type OutgoingMessages,
  type StartedHandle,
  type WorkflowHandle,
  type WorkflowInfo,
  type WorkflowPage,
} from "../core/client.ts";
import { refuseRepeatedKeys, toRecipient } from "../core/context/messages.ts";
import { UnsupportedError } from "../core/errors.ts";
import type {
  EventInfo,
  HistoryOptions,
  HistoryPage,
  MessagePage,
  MessagesOptions,
  StreamInfo,
} from "../core/inspection.ts";
import { eventEntry, StoredEvent } from "../core/read/event.ts";
import { awaitResult, Handle, readInfo } from "../core/read/handle.ts";
import type { ReadHost } from "../core/read/host.ts";
import { readEvents, readHistory, readMessages, readStreams } from "../core/read/inspect.ts";
import { listWorkflows } from "../core/read/list.ts";
import { SharedLooks } from "../core/read/shared_looks.ts";
import { StoredStream } from "../core/read/stream.ts";
import { StreamTails } from "../core/read/stream_tails.ts";
import type {
  EventEntry,
  EventReader,
  ReadStreamOptions,
  ReadStreamPagesOptions,
  StreamPage,
  StreamReader,
  WatchEventOptions,
} from "../core/readers.ts";
import type { Clock } from "../core/time/clock.ts";
import { statusTargets, Subscriptions } from "../core/time/subscriptions.ts";
import { checkName, checkWholeNumber } from "../core/values/checks.ts";
import { checkTraceparent } from "../core/values/marked_text.ts";
import { snapshot } from "../core/values/snapshot.ts";
import { validate } from "../core/values/values.ts";
import { orOtherwise, toOutsideLimit, type WaitOptions } from "../core/wait_options.ts";
import { describeInput, type StartArguments, type Workflow } from "../core/workflow.ts";
import type { DbosCalls } from "./calls.ts";
import type { DbosStartOptions } from "./options.ts";
import { DbosReads, type OpenWatch } from "./reads.ts";
import { sendDbosMessages, takeDbosMessage } from "./send.ts";
import {
  cancelDbosWorkflow,
  deleteDbosWorkflow,
  encodeArguments,
  resumeDbosWorkflow,
  startDbosWorkflow,
} from "./start.ts";
import { type DbosDecoders, DbosValues } from "./values/values.ts";

/**
 * A client of a DBOS app. It has the operations of `Client`, where DBOS has what they mean.
 *
 * @category DBOS
 */
export interface DbosClient extends Client {
  /**
   * Puts a workflow into a queue, from which an app takes it. If the ID exists, this returns the
   * existing workflow and runs nothing twice.
   *
   * @throws {WorkflowConflictError} If the ID exists under another workflow name, class or instance.
   * @throws {ValidationError} If the input or an option is not legal. Nothing was written.
   * @throws {ValueTooLargeError} If the input is too large. Nothing was written.
   * @throws {UnsupportedError} If the DBOS of the app is too old for an option.
   */
  start<I, O>(
    workflow: Workflow<unknown, O, I> | string,
    ...input: StartArguments<I, DbosStartOptions>
  ): Promise<StartedHandle<O>>;
  /**
   * Reads a stream in pages, for code that passes them on. See `Parley.readStreamPages`.
   */
  readStreamPages<T>(
    workflowId: string,
    key: StreamKey<T, unknown> | string,
    options?: ReadStreamPagesOptions,
  ): AsyncIterableIterator<StreamPage<T>>;
}

/** What a client uses. */
export interface DbosClientParts {
  readonly calls: DbosCalls;
  readonly watch: OpenWatch;
  readonly clock: Clock;
  readonly decoders: DbosDecoders;
  readonly queue: string;
  readonly maxValueBytes: number;
}

/** The runs of DBOS are elsewhere. */
const NO_RUNS: ReadHost["runs"] = { isHeld: () => false, storeTime: () => undefined, isEnding: () => false };

/** Performs the operations on a system database. */
export class SystemDatabaseClient implements DbosClient {
  readonly #parts: DbosClientParts;
  /** Reads without versions of events, which take longer. */
  readonly #host: ReadHost;
  readonly #versions: ReadHost;

  constructor(parts: DbosClientParts) {
    const { calls, watch, clock, decoders } = parts;
    this.#parts = parts;
    const shared = { clock, hints: new Subscriptions(), tails: new StreamTails(), values: new DbosValues(decoders) };
    const host = (hasVersions: boolean): ReadHost => ({
      ...shared,
      driver: new DbosReads(calls, watch, hasVersions),
      looks: new SharedLooks(),
      runs: NO_RUNS,
    });
    this.#host = host(false);
    this.#versions = host(true);
  }

  async start<I, O>(
    workflow: Workflow<unknown, O, I> | string,
    ...[input, options = {}]: StartArguments<I, DbosStartOptions>
  ): Promise<StartedHandle<O>> {
    const { calls, maxValueBytes: limit } = this.#parts;
    const { workflowId = crypto.randomUUID(), queue = this.#parts.queue } = options;
    const name = typeof workflow === "string" ? workflow : workflow.name;
    checkName(name, "workflow name");
    checkName(workflowId, "workflow ID");
    checkTraceparent(options.traceparent);
    const schema = typeof workflow === "string" ? undefined : workflow.input;
    const args = { name, limit, options };
    // Without a schema, the input is encoded before the call returns.
    const encoded = schema
      ? encodeArguments({ ...args, input: await validate(schema, snapshot(input), describeInput(name)) })
      : encodeArguments({ ...args, input });
    const created = await startDbosWorkflow(calls, { workflowId, name, queue, options }, encoded);
    // An ID that was made up here was unused. If it exists, an earlier try has inserted it.
    return Handle.started<O>(this, workflowId, created || options.workflowId === undefined);
  }

  handle<O = unknown>(workflowId: string): WorkflowHandle<O> {
    checkName(workflowId, "workflow ID");
    return new Handle<O>(this, workflowId);
  }

  async status(workflowId: string): Promise<WorkflowInfo> {
    checkName(workflowId, "workflow ID");
    return await readInfo(this.#host, workflowId);
  }

  async result<O = unknown, const E = O>(workflowId: string, options: WaitOptions<E> = {}): Promise<O | E> {
    checkName(workflowId, "workflow ID");
    return await orOtherwise(options, async () => await awaitResult(this.#host, workflowId, options) as O);
  }

  async send<T>(destinationId: string, message: NoInfer<T>, options: SendOptions<T> = {}): Promise<SendReceipt> {
    const { calls, maxValueBytes } = this.#parts;
    const taken = takeDbosMessage(toRecipient(destinationId, options), message, maxValueBytes);
    const [receipt] = await sendDbosMessages(calls, [await taken()]);
    return receipt!;
  }

  async sendAll<T extends readonly unknown[]>(list: OutgoingMessages<T>): Promise<SendReceipt[]> {
    const { calls, maxValueBytes } = this.#parts;
    const messages: readonly OutgoingMessage[] = list;
    const recipients = messages.map(({ destinationId, message: _, ...options }) => toRecipient(destinationId, options));
    refuseRepeatedKeys(recipients);
    const taken = messages.map(({ message }, index) => takeDbosMessage(recipients[index]!, message, maxValueBytes));
    if (taken.length === 0) return [];
    return await sendDbosMessages(calls, await Promise.all(taken.map((take) => take())));
  }

  async getEvent<T, const E = T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions<E> = {},
  ): Promise<T | E> {
    const { otherwise: _, ...limits } = options;
    return await orOtherwise(options, async () => (await this.#entry<T>(this.#host, workflowId, key, limits)).value);
  }

  async getEventEntry<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions & { after?: number } = {},
  ): Promise<EventEntry<T>> {
    return await this.#entry<T>(this.#versions, workflowId, key, options);
  }

  async #entry<T>(
    host: ReadHost,
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions & { after?: number },
  ): Promise<EventEntry<T>> {
    const { after = 0, signal } = options;
    checkName(workflowId, "workflow ID");
    const { name } = toChannel(key, "event key");
    checkWholeNumber(after, "version", 0);
    const limit = toOutsideLimit(options, GET_EVENT_TIMEOUT);
    return await eventEntry<T>(host, { ...limit, workflowId, key: name, after, signal });
  }

  watchEvent<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WatchEventOptions = {},
  ): EventReader<T> {
    checkName(workflowId, "workflow ID");
    return new StoredEvent<T>(this.#versions, workflowId, toChannel(key, "event key").name, options);
  }

  readStream<T>(
    workflowId: string,
    key: StreamKey<T, unknown> | string,
    options: ReadStreamOptions = {},
  ): StreamReader<T> {
    checkName(workflowId, "workflow ID");
    return new StoredStream<T>(this.#host, workflowId, toChannel(key, "stream key").name, options);
  }

  readStreamPages<T>(
    workflowId: string,
    key: StreamKey<T, unknown> | string,
    options: ReadStreamPagesOptions = {},
  ): AsyncIterableIterator<StreamPage<T>> {
    checkName(workflowId, "workflow ID");
    return new StoredStream<T>(this.#host, workflowId, toChannel(key, "stream key").name, options).pages();
  }

  async list(query: ListOptions = {}): Promise<WorkflowPage> {
    return await listWorkflows(this.#host, query);
  }

  async history(workflowId: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    return await readHistory(this.#host, workflowId, options);
  }

  async messages(workflowId: string, options: MessagesOptions = {}): Promise<MessagePage> {
    const page = await readMessages(this.#host, workflowId, options);
    // Older databases do not say which operation has received a message.
    for (const message of page.messages) if (message.position === -1) delete message.position;
    return page;
  }

  async events(workflowId: string): Promise<EventInfo[]> {
    return await readEvents(this.#host, workflowId);
  }

  async streams(workflowId: string): Promise<StreamInfo[]> {
    return await readStreams(this.#host, workflowId);
  }

  async cancel(workflowId: string, options: { children?: boolean } = {}): Promise<void> {
    checkName(workflowId, "workflow ID");
    await cancelDbosWorkflow(this.#parts.calls, workflowId, options.children ?? false);
    this.#host.hints.notify(statusTargets(workflowId));
  }

  async resume(workflowId: string, options: { from?: number } = {}): Promise<void> {
    checkName(workflowId, "workflow ID");
    if (options.from !== undefined) {
      throw new UnsupportedError(
        `Resuming workflow ${
          JSON.stringify(workflowId)
        } of DBOS from a position: use rewindWorkflow or forkWorkflow in ` +
          "the app, which know its data sources",
      );
    }
    await resumeDbosWorkflow(this.#parts.calls, workflowId);
    this.#host.hints.notify(statusTargets(workflowId));
  }

  async delete(workflowId: string): Promise<void> {
    checkName(workflowId, "workflow ID");
    await deleteDbosWorkflow(this.#parts.calls, workflowId);
    this.#host.hints.notify(statusTargets(workflowId));
  }
}

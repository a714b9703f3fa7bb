/**
 * The operations of `Client` over HTTP, from anywhere: a server, a Worker, a browser.
 *
 * @module
 */

import {
  type Channel,
  type EventKey,
  type SendOptions,
  type SendReceipt,
  type StreamKey,
  toChannel,
} from "../../core/channel.ts";
import {
  type Client,
  GET_EVENT_TIMEOUT,
  type ListOptions,
  type OutgoingMessage,
  type OutgoingMessages,
  type StartedHandle,
  type StartOptions,
  type WorkflowHandle,
  type WorkflowInfo,
  type WorkflowPage,
} from "../../core/client.ts";
import type {
  EventEntry,
  EventReader,
  ReadStreamOptions,
  StreamReader,
  WatchEventOptions,
} from "../../core/readers.ts";
import { quote, WorkflowNotFoundError } from "../../core/errors.ts";
import type {
  EventInfo,
  HistoryOptions,
  HistoryPage,
  MessagePage,
  MessagesOptions,
  StreamInfo,
} from "../../core/inspection.ts";
import { attempt } from "../../core/time/retry.ts";
import { checkName, checkWholeNumber, toInstant } from "../../core/values/checks.ts";
import { toRecipient } from "../../core/context/messages.ts";
import { Handle } from "../../core/read/handle.ts";
import { checkTraceparent } from "../../core/values/marked_text.ts";
import { snapshot } from "../../core/values/snapshot.ts";
import { validate } from "../../core/values/values.ts";
import { describeInput, type StartArguments, type Workflow } from "../../core/workflow.ts";
import { decodeEntry, decodeInfo, decodeValues, type Place, RemoteEvent, RemoteStream } from "./reading.ts";
import { pathOf } from "./sharing.ts";
import { ClientTransport, type ConnectOptions, encoded } from "./transport.ts";
import { waitOver } from "./waiting.ts";
import { decodeValue } from "../envelope.ts";
import { toSegment } from "../segment.ts";
import { WEBHOOK_KEY } from "../protocol.ts";
import { orOtherwise, toOutsideLimit, type WaitOptions } from "../../core/wait_options.ts";

export type { ConnectOptions, Fetch } from "./transport.ts";

/**
 * Connects to an adapter, `parleyHttp`.
 *
 * A request that is lost is repeated. A start is identified by its workflow ID, and a send by an
 * idempotency key. If the caller gives none, the client generates one. So nothing is started or
 * sent twice. A stream that is cut off continues at its next offset. Errors come back as the
 * classes that a `Parley` throws. A fault of the connection itself is a `DriverError`.
 *
 * @param options Where the adapter is, and its token.
 * @returns The client. It holds no connection between calls.
 * @throws {ValidationError} If the URL or the token is not legal.
 *
 * @example Start a workflow on a server, and wait for its result
 * ```ts
 * import { memoryDriver, Parley, workflow } from "@parley/parley";
 * import { connect } from "@parley/parley/client";
 * import { bearer, parleyHttp } from "@parley/parley/http";
 *
 * const greet = workflow("greet", (_ctx, name: string) => `Hello ${name}`);
 * const parley = new Parley({ driver: memoryDriver(), workflows: [greet] });
 * const app = parleyHttp({ parley, auth: bearer("s3cret") });
 *
 * // In place of `fetch`, so that this runs without a server.
 * const fetch = async (url: string, init: RequestInit) => await app.request(url, init);
 * const client = connect({ url: "https://example.com", token: "s3cret", fetch });
 * const handle = await client.start(greet, "Ada");
 * console.log(await handle.result()); // Hello Ada
 * ```
 *
 * @category From outside
 */
export function connect(options: ConnectOptions): Client {
  return new RemoteClient(new ClientTransport(options));
}

class RemoteClient implements Client {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  async start<I, O>(
    workflow: Workflow<unknown, O, I> | string,
    ...[input, options = {}]: StartArguments<I, StartOptions>
  ): Promise<StartedHandle<O>> {
    const { workflowId = crypto.randomUUID(), enqueue, delay, at } = options;
    const name = typeof workflow === "string" ? workflow : workflow.name;
    checkName(name, "workflow name");
    checkName(workflowId, "workflow ID");
    const traceparent = checkTraceparent(options.traceparent);
    const schema = typeof workflow === "string" ? undefined : workflow.input;
    // The server gets the caller's own input, because it applies the schema too. If it does not
    // know the workflow, it stores what this schema returned. The input is encoded before the check,
    // because the caller may change it meanwhile.
    const own = encoded(input, "start");
    const checked = schema && await validate(schema, snapshot(input), describeInput(name));
    const body = {
      workflow: name,
      input: own,
      workflowId,
      ...(enqueue !== undefined && { enqueue }),
      traceparent,
      ...(delay !== undefined && { delay }),
      ...(at !== undefined && { at: toInstant(at, "start of the workflow") }),
      ...((enqueue || delay !== undefined || at !== undefined) && schema && { checked: encoded(checked, "start") }),
    };
    const request = { operation: "start", method: "POST", path: "/workflows", body } as const;
    const { created } = await this.#transport.call<{ created: boolean }>(request);
    // An ID that was generated here was unused. If it exists, the first request made it, and its
    // answer was lost.
    const isOwn = options.workflowId === undefined;
    return Handle.started<O>(this, workflowId, created || isOwn);
  }

  handle<O = unknown>(workflowId: string): WorkflowHandle<O> {
    checkName(workflowId, "workflow ID");
    return new Handle<O>(this, workflowId);
  }

  async status(workflowId: string): Promise<WorkflowInfo> {
    return await this.#transport.call({ operation: "status", path: workflowPath(workflowId), read: decodeInfo });
  }

  async result<O = unknown, const E = O>(workflowId: string, options: WaitOptions<E> = {}): Promise<O | E> {
    const { signal } = options;
    const path = `${workflowPath(workflowId)}/result`;
    const operation = "result";
    const read = (result: unknown) => decodeValue(result) as O;
    const ask = (waitMs: number, wait: string) =>
      this.#transport.once({ operation, path: `${path}?${wait}`, waitMs, signal, read });
    return await orOtherwise(options, () => {
      return waitOver(this.#transport, { ...toOutsideLimit(options), operation, signal }, ask);
    });
  }

  async send<T>(destinationId: string, message: NoInfer<T>, options: SendOptions<T> = {}): Promise<SendReceipt> {
    const { topic, idempotencyKey, traceparent } = toRecipient(destinationId, options);
    const own = await checkedMessage(topic, message, "send");
    const receipt = await this.#transport.call<SendReceipt>({
      operation: "send",
      method: "POST",
      path: `/workflows/${toSegment(destinationId)}/messages`,
      body: {
        message: own,
        topic: topic.name,
        idempotencyKey: toSentKey(idempotencyKey),
        traceparent,
      },
    });
    return toReceipt(receipt, idempotencyKey);
  }

  async sendAll<T extends readonly unknown[]>(list: OutgoingMessages<T>): Promise<SendReceipt[]> {
    const messages: readonly OutgoingMessage[] = list;
    const prepared = await Promise.all(messages.map(async ({ destinationId, message, ...options }) => {
      const { topic, idempotencyKey, traceparent } = toRecipient(destinationId, options);
      return {
        destinationId,
        message: await checkedMessage(topic, message, "sendAll"),
        topic: topic.name,
        idempotencyKey: toSentKey(idempotencyKey),
        traceparent,
      };
    }));
    if (prepared.length === 0) return [];
    const request = { operation: "sendAll", method: "POST", path: "/messages", body: { messages: prepared } } as const;
    const { receipts } = await this.#transport.call<{ receipts: SendReceipt[] }>(request);
    return receipts.map((receipt, index) => toReceipt(receipt, messages[index]?.idempotencyKey));
  }

  async getEvent<T, const E = T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions<E> = {},
  ): Promise<T | E> {
    const { otherwise: _, ...limits } = options;
    return await orOtherwise(options, async () => (await this.getEventEntry(workflowId, key, limits)).value);
  }

  async getEventEntry<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions & { after?: number } = {},
  ): Promise<EventEntry<T>> {
    const { after = 0, signal } = options;
    const path = pathOf({ ...placeOf(workflowId, key, "event key"), kind: "event" });
    checkWholeNumber(after, "version", 0);
    const limit = toOutsideLimit(options, GET_EVENT_TIMEOUT);
    const ask = (waitMs: number, wait: string) =>
      this.#transport.once<EventEntry<T>>({
        operation: "getEvent",
        path: `${path}?after=${after}&${wait}`,
        waitMs,
        signal,
        read: decodeEntry,
      });
    const operation = `getEvent ${JSON.stringify(toChannel(key, "event key").name)}`;
    return await waitOver(this.#transport, { ...limit, operation, signal }, ask);
  }

  watchEvent<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WatchEventOptions = {},
  ): EventReader<T> {
    return new RemoteEvent<T>(this.#transport, placeOf(workflowId, key, "event key"), options);
  }

  readStream<T>(
    workflowId: string,
    key: StreamKey<T, unknown> | string,
    options: ReadStreamOptions = {},
  ): StreamReader<T> {
    return new RemoteStream<T>(this.#transport, placeOf(workflowId, key, "stream key"), options);
  }

  async list(options: ListOptions = {}): Promise<WorkflowPage> {
    const { status, createdAfter, createdBefore, ...rest } = options;
    const query = toQuery({
      ...rest,
      status: status && [status].flat().join(","),
      createdAfter: createdAfter && toInstant(createdAfter, "createdAfter"),
      createdBefore: createdBefore && toInstant(createdBefore, "createdBefore"),
    });
    return await this.#transport.call<WorkflowPage>({
      operation: "list",
      path: `/workflows${query}`,
      read: (page) => ({ ...page, workflows: page.workflows.map(decodeInfo) }),
    });
  }

  async history(workflowId: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    return await this.#transport.call<HistoryPage>({
      operation: "history",
      path: `${workflowPath(workflowId)}/history${toQuery(options)}`,
      read: (page) => ({ ...page, entries: page.entries.map(decodeValues) }),
    });
  }

  async messages(workflowId: string, options: MessagesOptions = {}): Promise<MessagePage> {
    return await this.#transport.call<MessagePage>({
      operation: "messages",
      path: `${workflowPath(workflowId)}/messages${toQuery(options)}`,
      read: (page) => ({ ...page, messages: page.messages.map(decodeValues) }),
    });
  }

  async events(workflowId: string): Promise<EventInfo[]> {
    return await this.#transport.call<EventInfo[]>({
      operation: "events",
      path: `${workflowPath(workflowId)}/events`,
      read: (events) => events.map(decodeValues),
    });
  }

  async streams(workflowId: string): Promise<StreamInfo[]> {
    return await this.#transport.call({ operation: "streams", path: `${workflowPath(workflowId)}/streams` });
  }

  async cancel(workflowId: string, options: { children?: boolean } = {}): Promise<void> {
    await this.#control(workflowId, "cancel", options);
  }

  async resume(workflowId: string, options: { from?: number } = {}): Promise<void> {
    await this.#control(workflowId, "resume", options);
  }

  async delete(workflowId: string): Promise<void> {
    const path = workflowPath(workflowId);
    let isRepeat = false;
    const once = async () => {
      const wasTried = isRepeat;
      isRepeat = true;
      await this.#transport.once({ operation: "delete", method: "DELETE", path }).catch((error) => {
        // The first try may have deleted the workflow, and its answer was lost.
        if (!(wasTried && error instanceof WorkflowNotFoundError)) throw error;
      });
    };
    await attempt(once, this.#transport.clock);
  }

  async #control(workflowId: string, operation: "cancel" | "resume", body: object): Promise<void> {
    // An empty body gives the request a content type. Servers that guard against forged forms
    // refuse a POST without a content type.
    await this.#transport.call({
      operation,
      method: "POST",
      path: `${workflowPath(workflowId)}/${operation}`,
      body,
    });
  }
}

/** The parameters that are given, with their `?`; empty without any. */
function toQuery(parameters: object): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length === 0 ? "" : `?${query}`;
}

function workflowPath(workflowId: string): string {
  checkName(workflowId, "workflow ID");
  return `/workflows/${toSegment(workflowId)}`;
}

function placeOf(workflowId: string, key: StreamKey<unknown> | EventKey<unknown> | string, what: string): Place {
  return { workflow: workflowPath(workflowId), key: toChannel(key, what).name };
}

/**
 * Encodes a message before the call returns, and checks it. The server gets the caller's own
 * message, because `recv` applies the schema too.
 */
async function checkedMessage({ name, schema }: Channel<unknown>, message: unknown, operation: string) {
  const own = encoded(message, operation);
  if (schema) await validate(schema, snapshot(message), `message of topic ${quote(name)}`);
  return own;
}

/**
 * The idempotency key by which the server recognises the message if the request is repeated. The
 * server keeps the keys of webhooks for its own webhooks. So a webhook that sends through this
 * client has other keys.
 */
function toSentKey(key: string | undefined): string {
  return key === undefined || WEBHOOK_KEY.test(key) ? `connect:${key ?? crypto.randomUUID()}` : key;
}

/**
 * The receipt for the caller. A generated key was unused, so a duplicate is this very message,
 * whose first answer was lost.
 */
function toReceipt(receipt: SendReceipt, idempotencyKey: string | undefined): SendReceipt {
  return idempotencyKey === undefined ? { ...receipt, duplicate: false } : receipt;
}

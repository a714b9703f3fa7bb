/**
 * A workflow behind the adapter.
 *
 * @module
 */

import type { EventKey, StreamKey } from "../../core/channel.ts";
import type {
  Client,
  EventEntry,
  EventReader,
  ReadStreamOptions,
  SendOptions,
  SendReceipt,
  StreamReader,
  WaitOptions,
  WatchEventOptions,
  WorkflowHandle,
  WorkflowInfo,
} from "../../core/client.ts";
import { toMilliseconds } from "../../core/duration.ts";
import { toSegment } from "../path.ts";
import type { Transport } from "./transport.ts";
import { waitOver } from "./waiting.ts";

/** A handle on a workflow behind the adapter. */
export class RemoteHandle<O> implements WorkflowHandle<O> {
  readonly workflowId: string;
  readonly #client: Client;
  readonly #transport: Transport;

  constructor(client: Client, transport: Transport, workflowId: string) {
    this.#client = client;
    this.#transport = transport;
    this.workflowId = workflowId;
  }

  get #path(): string {
    return `/workflows/${toSegment(this.workflowId)}`;
  }

  status(): Promise<WorkflowInfo> {
    return this.#transport.call({ operation: "status", path: this.#path });
  }

  async result(options: WaitOptions = {}): Promise<O> {
    const { timeout, signal } = options;
    const timeoutMs = timeout === undefined ? null : toMilliseconds(timeout, "timeout");
    const operation = "result";
    const ask = (waitMs: number) =>
      this.#transport.call<O>({ operation, path: `${this.#path}/result?wait=${Math.ceil(waitMs)}ms`, waitMs, signal });
    return await waitOver(this.#transport, { operation, timeoutMs, signal }, ask);
  }

  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt> {
    return this.#client.send<T>(this.workflowId, message, options);
  }

  getEvent<T>(key: EventKey<T> | string, options?: WaitOptions): Promise<T> {
    return this.#client.getEvent<T>(this.workflowId, key, options);
  }

  getEventEntry<T>(key: EventKey<T> | string, options?: WaitOptions & { after?: number }): Promise<EventEntry<T>> {
    return this.#client.getEventEntry<T>(this.workflowId, key, options);
  }

  watchEvent<T>(key: EventKey<T> | string, options?: WatchEventOptions): EventReader<T> {
    return this.#client.watchEvent<T>(this.workflowId, key, options);
  }

  readStream<T>(key: StreamKey<T> | string, options?: ReadStreamOptions): StreamReader<T> {
    return this.#client.readStream<T>(this.workflowId, key, options);
  }

  cancel(): Promise<void> {
    return this.#client.cancel(this.workflowId);
  }
}

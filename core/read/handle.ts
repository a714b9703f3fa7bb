/**
 * A workflow, from outside.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey } from "../channel.ts";
import type {
  Client,
  EventEntry,
  EventReader,
  ReadStreamOptions,
  StartedHandle,
  StreamReader,
  WaitOptions,
  WatchEventOptions,
  WorkflowHandle,
  WorkflowInfo,
} from "../client.ts";
import type { WorkflowRecord } from "../driver/driver.ts";
import { toMilliseconds } from "../values/checks.ts";
import { quote, TimeoutError, WorkflowCancelledError, WorkflowFailedError, WorkflowNotFoundError } from "../errors.ts";
import { toInfo } from "./info.ts";
import type { ReadHost } from "./host.ts";
import { isActive } from "../driver/statuses.ts";
import { waitFor } from "../time/wait.ts";

/** What is the same for every client: operations that it has for any workflow, bound to this one. */
export abstract class BoundHandle<O> implements WorkflowHandle<O> {
  readonly workflowId: string;
  readonly #client: Client;

  constructor(client: Client, workflowId: string) {
    this.#client = client;
    this.workflowId = workflowId;
  }

  abstract status(): Promise<WorkflowInfo>;
  abstract result(options?: WaitOptions): Promise<O>;

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

/** A handle on a workflow in the store. */
export class Handle<O> extends BoundHandle<O> {
  readonly #host: ReadHost;

  constructor(client: Client, host: ReadHost, workflowId: string) {
    super(client, workflowId);
    this.#host = host;
  }

  async status(): Promise<WorkflowInfo> {
    return toInfo(await this.#read(), this.#host.values);
  }

  async result(options: WaitOptions = {}): Promise<O> {
    const { timeout, signal } = options;
    const timeoutMs = timeout === undefined ? null : toMilliseconds(timeout, "timeout");
    const look = async () => {
      const record = await this.#read();
      return isActive(record.status) ? undefined : record;
    };
    const ended = await waitFor(this.#host, look, {
      target: `outbox:${this.workflowId}`,
      timeoutMs,
      signal,
      onTimeout: () => new TimeoutError("result", timeoutMs!),
    });
    return this.#resultOf(ended);
  }

  async #read(): Promise<WorkflowRecord> {
    const record = await this.#host.driver.readWorkflow(this.workflowId);
    if (!record) throw new WorkflowNotFoundError(this.workflowId);
    return record;
  }

  #resultOf({ status, output, error }: WorkflowRecord): O {
    if (status === "CANCELLED") throw new WorkflowCancelledError(this.workflowId);
    if (status !== "SUCCESS") {
      throw new WorkflowFailedError(this.workflowId, error === null ? undefined : this.#causeOf(error));
    }
    return this.#host.values.decode(output!, `output of workflow ${quote(this.workflowId)}`) as O;
  }

  /** An error that cannot be decoded is no reason to keep back that the workflow failed. */
  #causeOf(error: string): unknown {
    try {
      return this.#host.values.decode(error, `error of workflow ${quote(this.workflowId)}`);
    } catch (unreadable) {
      return unreadable;
    }
  }
}

/** A handle on a workflow that was started. */
export class Started<O> extends Handle<O> implements StartedHandle<O> {
  readonly created: boolean;

  constructor(
    client: Client,
    host: ReadHost,
    { workflowId, created }: { workflowId: string; created: boolean },
  ) {
    super(client, host, workflowId);
    this.created = created;
  }
}

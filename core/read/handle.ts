/**
 * Reads a workflow from outside: its handle, its status and its result.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey } from "../channel.ts";
import type { Client, StartedHandle, WorkflowHandle, WorkflowInfo } from "../client.ts";
import type { EventEntry, EventReader, ReadStreamOptions, StreamReader, WatchEventOptions } from "../readers.ts";
import type { ListedWorkflow, WorkflowRecord, WorkflowSnapshot } from "../driver/driver.ts";
import { quote, WorkflowCancelledError, WorkflowFailedError, WorkflowNotFoundError } from "../errors.ts";
import type { Decoder, ReadHost } from "./host.ts";
import { isActive } from "../driver/statuses.ts";
import { toSerialized } from "../values/serialized_error.ts";
import { splitLabel } from "../values/send_label.ts";
import { waitFor } from "../time/wait.ts";
import { SharingWaiter } from "./shared_looks.ts";
import { toOutsideLimit, type WaitOptions } from "../wait_options.ts";

/** The operations of a client, bound to one workflow ID. The client uses a store or HTTP. */
export class Handle<O> implements WorkflowHandle<O> {
  readonly workflowId: string;
  readonly #client: Client;

  constructor(client: Client, workflowId: string) {
    this.#client = client;
    this.workflowId = workflowId;
  }

  /** Creates the handle that `start` returns. */
  static started<O>(client: Client, workflowId: string, created: boolean): StartedHandle<O> {
    return Object.assign(new Handle<O>(client, workflowId), { created });
  }

  status(): Promise<WorkflowInfo> {
    return this.#client.status(this.workflowId);
  }

  result<const E = O>(options?: WaitOptions<E>): Promise<O | E> {
    return this.#client.result<O, E>(this.workflowId, options);
  }

  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt> {
    return this.#client.send<T>(this.workflowId, message, options);
  }

  getEvent<T, const E = T>(key: EventKey<T, unknown> | string, options?: WaitOptions<E>): Promise<T | E> {
    return this.#client.getEvent<T, E>(this.workflowId, key, options);
  }

  getEventEntry<T>(
    key: EventKey<T, unknown> | string,
    options?: WaitOptions & { after?: number },
  ): Promise<EventEntry<T>> {
    return this.#client.getEventEntry<T>(this.workflowId, key, options);
  }

  watchEvent<T>(key: EventKey<T, unknown> | string, options?: WatchEventOptions): EventReader<T> {
    return this.#client.watchEvent<T>(this.workflowId, key, options);
  }

  readStream<T>(key: StreamKey<T, unknown> | string, options?: ReadStreamOptions): StreamReader<T> {
    return this.#client.readStream<T>(this.workflowId, key, options);
  }

  cancel(options?: { children?: boolean }): Promise<void> {
    return this.#client.cancel(this.workflowId, options);
  }
}

type WorkflowEnd = Pick<WorkflowSnapshot, "status" | "output" | "error" | "failed" | "now">;

/** Reads the row of a workflow. @throws {WorkflowNotFoundError} */
async function readWorkflow({ driver }: ReadHost, workflowId: string): Promise<WorkflowRecord> {
  const record = await driver.readWorkflow(workflowId, { counts: true });
  if (!record) throw new WorkflowNotFoundError(workflowId);
  return record;
}

/** Reads what the store knows of a workflow. @throws {WorkflowNotFoundError} */
export async function readInfo(host: ReadHost, workflowId: string): Promise<WorkflowInfo> {
  return toInfo(await readWorkflow(host, workflowId), host.values);
}

/**
 * Waits until a workflow has ended, and returns its result. See `Client.result`.
 *
 * If the workflow runs here, the wait begins without a look. A run that ends the workflow gives the
 * result or a hint. The run also gives a hint if the store fails, the run loses the lease or the
 * workflow is cancelled. A run that suspends, yields or parks gives neither, because its commit
 * shows that the workflow has not ended.
 */
export async function awaitResult(
  host: ReadHost,
  workflowId: string,
  options: Pick<WaitOptions, "timeout" | "until" | "signal">,
): Promise<unknown> {
  const { signal } = options;
  const target = `result:${workflowId}` as const;
  const waiter = new SharingWaiter<WorkflowEnd | null>(host, host.looks, {
    name: target,
    target,
    read: (now) => host.driver.readWorkflow(workflowId, { now }),
    isComing: () => host.runs.isEnding(workflowId),
    isHere: () => host.runs.isHeld(workflowId),
  });
  const look = async () => {
    const record = await waiter.read();
    if (!record) throw new WorkflowNotFoundError(workflowId);
    return isActive(record.status) ? undefined : record;
  };
  const { status, output, error, failed } = await waitFor(host, look, {
    target,
    waiter,
    isLater: host.runs.isHeld(workflowId),
    ...toOutsideLimit(options),
    now: host.runs.storeTime(workflowId),
    signal,
    operation: "result",
  });
  if (status === "CANCELLED") throw new WorkflowCancelledError(workflowId);
  if (status === "SUCCESS") return host.values.decode(output!, `output of workflow ${quote(workflowId)}`);
  const cause = error === null ? undefined : causeOf(error, host.values, workflowId);
  throw new WorkflowFailedError(workflowId, cause, failed ? toFailed(failed) : undefined);
}

/** Converts a failed operation to what users see. */
function toFailed({ position, label }: NonNullable<WorkflowRecord["failed"]>): NonNullable<WorkflowInfo["failed"]> {
  return { position, operation: splitLabel(label).label };
}

/** Decodes the error of a workflow. If that fails, the decoder's error is the cause instead. */
function causeOf(error: string, values: Decoder, workflowId: string): unknown {
  try {
    return values.decode(error, `error of workflow ${quote(workflowId)}`);
  } catch (unreadable) {
    return unreadable;
  }
}

type ValueName = NonNullable<WorkflowInfo["unreadable"]>[number];

/**
 * Converts a workflow's row to what users see. `unreadable` names the values that cannot be decoded
 * here, so that one row never fails a page.
 */
export function toInfo(record: ListedWorkflow, values: Decoder): WorkflowInfo {
  const { workflowId, name, status, waiting, createdAt, updatedAt, recoveryAttempts } = record;
  const { endedAt, failed, unread, generation } = record;
  const unreadable: ValueName[] = [];
  const read = <Field extends ValueName>(field: Field, show: (value: unknown) => WorkflowInfo[Field]) => {
    const info: Partial<Pick<WorkflowInfo, Field>> = {};
    const text = record[field];
    if (text === null) return info;
    try {
      info[field] = show(values.decode(text));
    } catch {
      unreadable.push(field);
    }
    return info;
  };
  return {
    workflowId,
    name,
    status,
    ...(waiting &&
      { waiting: { operations: waiting.operations, ...(waiting.until !== null && { until: waiting.until }) } }),
    ...read("input", (value) => value),
    ...read("output", (value) => value),
    ...read("error", toSerialized),
    ...read("problem", toSerialized),
    ...(failed && { failed: toFailed(failed) }),
    ...(unreadable.length > 0 && { unreadable }),
    createdAt,
    updatedAt,
    ...(endedAt !== null && { endedAt }),
    ...(unread !== null && { unread }),
    generation,
    recoveryAttempts,
  };
}

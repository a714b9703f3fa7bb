/**
 * Reads an event of a workflow from outside, once or each time that its value changes.
 *
 * @module
 */

import type { EventEntry, EventReader, WatchEventOptions } from "../readers.ts";
import type { WorkflowStatus } from "../driver/driver.ts";
import { isActive } from "../driver/statuses.ts";
import { quote, VersionOutOfRangeError, WorkflowEndedError } from "../errors.ts";
import { unlessAborted, waitFor } from "../time/wait.ts";
import { Waiter } from "../time/waiter.ts";
import { checkWholeNumber } from "../values/checks.ts";
import type { ReadHost } from "./host.ts";
import { EndableIterable, onAbort } from "./iteration.ts";
import { eventLooks } from "./local_events.ts";
import { SharingWaiter } from "./shared_looks.ts";
import type { WaitLimit } from "../wait_options.ts";

/**
 * Waits for a version of an event above `after`, and returns the latest one.
 *
 * @throws {WorkflowEndedError} If the workflow has ended without such a version, or does so during
 * the wait.
 * @throws {VersionOutOfRangeError} If `after` is above the current version.
 * @throws {TimeoutError} If the time is up.
 */
export async function eventEntry<T>(
  host: ReadHost,
  request: WaitLimit & { workflowId: string; key: string; after: number; signal: AbortSignal | undefined },
): Promise<EventEntry<T>> {
  const { workflowId, key, after } = request;
  const target = `event:${workflowId}` as const;
  const waiter = new SharingWaiter(host, host.looks, {
    name: eventLooks(workflowId, key),
    target,
    read: (now) => host.driver.readEvent({ workflowId, key, now }),
    isHere: () => host.runs.isHeld(workflowId),
  });
  const look = async () => {
    const { event, status } = await waiter.read();
    if (event && event.version > after) return event;
    checkSeen(after, event, request);
    if (status !== null && !isActive(status)) throw new WorkflowEndedError(workflowId, status);
  };
  const { version, value } = await waitFor(host, look, {
    ...request,
    target,
    waiter,
    operation: `getEvent ${JSON.stringify(key)}`,
  });
  return { version, value: host.values.decode(value, `event ${quote(key)}`, version) as T };
}

/**
 * Refuses a version above the current one. Versions only rise, so such a version belongs to another
 * event.
 */
function checkSeen(
  seen: number,
  event: { version: number } | null,
  { workflowId, key }: { workflowId: string; key: string },
): void {
  const version = event?.version ?? 0;
  if (seen > version) throw new VersionOutOfRangeError(workflowId, key, { after: seen, version });
}

/** An event in the store. */
export class StoredEvent<T> extends EndableIterable<T, EventEntry<T>> implements EventReader<T> {
  readonly #host: ReadHost;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #after: number;

  constructor(host: ReadHost, workflowId: string, key: string, options: WatchEventOptions) {
    const { after = 0, signal } = options;
    super(signal);
    checkWholeNumber(after, "version", 0);
    this.#host = host;
    this.#workflowId = workflowId;
    this.#key = key;
    this.#after = after;
  }

  protected async *read(signal: AbortSignal): AsyncGenerator<EventEntry<T>, void, undefined> {
    const waiter = new Waiter(this.#host);
    const target = `event:${this.#workflowId}` as const;
    const stopOnAbort = onAbort(signal, () => waiter.close());
    try {
      waiter.listen([target], { connects: false });
      let existed = false;
      for (let seen = this.#after;;) {
        signal.throwIfAborted();
        const result = await waiter.look(() => unlessAborted(this.#look(seen), signal));
        if ("found" in result) {
          const { entry, version, status } = result.found;
          if (entry) {
            seen = entry.version;
            waiter.reset();
            yield entry;
          }
          // A workflow that existed at an earlier look and is gone now was purged.
          if (status === null && existed) return;
          if (!entry) checkSeen(seen, { version }, { workflowId: this.#workflowId, key: this.#key });
          if (status !== null && !isActive(status)) return;
          existed = status !== null;
        }
        waiter.listen([target], { connects: waiter.isPatient || !this.#host.runs.isHeld(this.#workflowId) });
        await nextLook(waiter, signal);
      }
    } finally {
      stopOnAbort();
    }
  }

  /**
   * Reads the value if its version is above `seen`. The encoded text does not leave this method,
   * because a paused reader would keep it beside the value.
   */
  async #look(
    seen: number,
  ): Promise<{ entry: EventEntry<T> | undefined; version: number; status: WorkflowStatus | null }> {
    const { driver, values } = this.#host;
    const { event, status } = await driver.readEvent({ workflowId: this.#workflowId, key: this.#key });
    if (!event || event.version <= seen) return { entry: undefined, version: event?.version ?? 0, status };
    const { version, value } = event;
    return {
      entry: { version, value: values.decode(value, `event ${quote(this.#key)}`, version) as T },
      version,
      status,
    };
  }
}

async function nextLook(waiter: Waiter, signal: AbortSignal): Promise<void> {
  while (!await waiter.next({ signal })) signal.throwIfAborted();
}

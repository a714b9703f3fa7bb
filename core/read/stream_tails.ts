/**
 * Shared waiting at the end of a stream. All live readers of a stream in one `Parley` share one
 * subscription. The readers that have caught up also share their looks. A run of this isolate hands
 * its values to the readers, which then need no look.
 *
 * Without this sharing, 1,000 readers made 1,080 requests to the store for each value. They also
 * got the value a second later.
 *
 * @module
 */

import type { StreamSnapshot } from "../driver/driver.ts";
import type { WaitHost } from "../time/waiter.ts";
import { LocalStreams } from "./local_streams.ts";
import { StreamTail, type TailReader } from "./stream_tail.ts";

const NO_TAILS: ReadonlyMap<string, StreamTail> = new Map();

/** The tails of the streams that have readers, and the runs that write to streams here. */
export class StreamTails {
  readonly #tails = new Map<string, Map<string, StreamTail>>();
  readonly #runs = new Map<string, LocalStreams>();

  /**
   * Adds a reader to a stream's tail. The caller then makes the reader's first look, by
   * {@linkcode StreamTails.learn}. {@linkcode TailReader.next} finds all values that are written
   * after that look.
   *
   * @returns The reader, which must leave.
   */
  join(host: WaitHost, workflowId: string, key: string): TailReader {
    const tails = this.#tails.get(workflowId) ?? new Map<string, StreamTail>();
    this.#tails.set(workflowId, tails);
    let tail = tails.get(key);
    if (!tail) {
      const isTold = () => this.#runs.get(workflowId)?.tells(key) ?? false;
      tail = new StreamTail(host, workflowId, {
        isTold,
        onEmpty: () => {
          tails.delete(key);
          if (tails.size === 0) this.#tails.delete(workflowId);
        },
      });
      tails.set(key, tail);
    }
    return tail.join();
  }

  /** Notes a run that begins here. */
  begin(workflowId: string, epoch: number): LocalStreams {
    const run = new LocalStreams(epoch, {
      readers: () => this.#tails.get(workflowId) ?? NO_TAILS,
      onOver: () => {
        if (this.#runs.get(workflowId) === run) this.#runs.delete(workflowId);
      },
    });
    this.#runs.set(workflowId, run);
    return run;
  }

  /** Makes a read of a stream, from which a run here may learn where the stream ends. */
  async learn<S extends StreamSnapshot>(workflowId: string, key: string, read: () => Promise<S>): Promise<S> {
    return await (this.#runs.get(workflowId)?.learn(key, read) ?? read());
  }
}

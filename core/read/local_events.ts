/**
 * The events that a run of this isolate sets, for waits in the same isolate. The waits get a value
 * once the store has confirmed it, without a read of the store.
 *
 * The value goes only to waits that had begun when the commit was sent. For them, this is as if
 * they had read the store at the moment of the commit. See {@linkcode SharedLooks.giving}.
 *
 * @module
 */

import type { CommitRequest, Committed, EventSnapshot } from "../driver/driver.ts";
import type { SharedLooks } from "./shared_looks.ts";

/** The name of the looks at an event. */
export function eventLooks(workflowId: string, key: string): string {
  return JSON.stringify([workflowId, key]);
}

/** The events of one workflow whose run is here. */
export class LocalEvents {
  readonly #looks: SharedLooks;
  /**
   * The versions of the events that this run has set. `undefined` if an earlier run may have set
   * some too, so that waits must look.
   */
  readonly #versions: Map<string, number> | undefined;

  /**
   * @param epoch The epoch of the run. The first is 1.
   * @param looks The looks of the waits here.
   */
  constructor(epoch: number, looks: SharedLooks) {
    this.#looks = looks;
    this.#versions = epoch === 1 ? new Map() : undefined;
  }

  /**
   * Notes a commit that is about to be sent.
   *
   * @returns A function to be called once the commit has succeeded; `undefined` if it sets no event.
   */
  send({ workflowId, operations, transition }: CommitRequest): ((committed: Committed) => void) | undefined {
    const versions = this.#versions;
    const keys = versions && new Set(operations.flatMap((it) => it.type === "setEvent" ? [it.key] : []));
    if (!keys || keys.size === 0) return undefined;
    const giving = [...keys].map((key) => [key, this.#looks.giving(eventLooks(workflowId, key))] as const);
    return ({ results }) => {
      const values = new Map<string, string>();
      operations.forEach((operation, index) => {
        const result = results[index]!;
        if (operation.type !== "setEvent" || !("outcome" in result) || result.outcome.tag !== "done") return;
        versions.set(operation.key, (versions.get(operation.key) ?? 0) + 1);
        values.set(operation.key, operation.value);
      });
      const status = transition?.to === "end" ? transition.status : "PENDING";
      for (const [key, give] of giving) {
        const value = values.get(key);
        if (value === undefined) continue;
        give({ event: { version: versions.get(key)!, value }, status } satisfies EventSnapshot);
      }
    };
  }
}

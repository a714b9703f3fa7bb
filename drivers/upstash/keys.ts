/**
 * The names of all keys. Each workflow has a fixed set of keys, so the keys of a request follow from the IDs in it alone.
 *
 * | Key of a workflow | What it has |
 * | --- | --- |
 * | `workflow` | Hash: the row, with the bytes of the journal, the events and the streams. |
 * | `open` | Hash: position -> deadline, failed tries and label of an open entry. |
 * | `journal` | Hash: number -> a complete entry; `p` and a position -> the number of its entry. |
 * | `inbox` | Hash: the messages that were not received yet, where the queue of each topic begins and ends, and how many bytes there are. |
 * | `sent` | Hash: dedupe key -> ID and topic of the message that has it. |
 * | `events` | Hash: versions and values of events, and the instant of the first. |
 * | `streams` | Hash: the values of streams; `t` and a key -> the tail of a stream and whether it is closed. |
 *
 * Upstash allows 100 MB a key, so these have a limit of 90 MB: see `MAX_COLLECTION_BYTES`. What one workflow has to know of others is in keys
 * that all share: who waits for whom in `waiting`, and which children a parent still needs in `families`.
 *
 * A key is `PREFIX/KIND/PART`. A part has slashes, percent signs and control characters percent-encoded, and the prefix has no slash. So two
 * keys are equal only if their prefixes, kinds and parts are.
 *
 * @module
 */

import type { WorkflowStatus } from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";

/** The kinds of keys of one workflow. */
export type OwnKind = "row" | "open" | "journal" | "inbox" | "sent" | "events" | "streams";

/** Every {@linkcode OwnKind}. */
export const OWN_KINDS: readonly OwnKind[] = ["row", "open", "journal", "inbox", "sent", "events", "streams"];

/** An index: the workflows of a status, or those that are parked. */
export type Index = WorkflowStatus | "parked";

/**
 * The kinds of keys that all workflows share. Their members are `ID NUL NAME` where nothing else is said.
 *
 * - `due`: sorted set of those that no run holds, by when they are due; `inf` if only an arrival makes them due.
 * - `leased`: sorted set of those that a run holds, by the end of the lease.
 * - `schedule`: sorted set by text, `NAME NUL INSTANT NUL ID` of those in `due` with an instant, for claims of some names.
 * - `waiting`: sorted set by text of those that are suspended for a result or an event. See `lua/waiters.ts`.
 * - `together`: hash, a workflow that waits for results together -> how many are still missing.
 * - `families`: sorted set by text of parents, and of ended children that they still need. See `lua/ending.ts`.
 * - `ended`: sorted set of those that ended, by when, without those in `families`.
 * - `expiring`: sorted set of those that expire, by when. With a `+` before it and at 0: a child whose keys have no expiry yet.
 * - `index/` and an index: sorted set by text, the newest first. `named/` and an index: the same by name.
 */
export type SharedKind =
  | ("due" | "leased" | "schedule" | "waiting" | "together" | "families" | "ended" | "expiring")
  | `${"index" | "named"}/${Index}`;

/** The keys of one prefix. */
export class Keys {
  readonly #prefix: string;

  /**
   * Makes it.
   *
   * @param prefix What all keys begin with.
   * @throws {ValidationError} If it is not 1 to 64 characters of those that may be in the name of a channel.
   */
  constructor(prefix: string) {
    if (!/^[A-Za-z0-9:_.-]{1,64}$/.test(prefix)) {
      throw new ValidationError(
        `Using the prefix ${JSON.stringify(prefix)}: it must be 1 to 64 of the characters A-Z a-z 0-9 : _ . -`,
      );
    }
    this.#prefix = prefix;
  }

  /** A key of a workflow. */
  own(workflowId: string, kind: OwnKind): string {
    return `${this.#prefix}/${kind === "row" ? "workflow" : kind}/${encodePart(workflowId)}`;
  }

  /** A key that all workflows share. */
  shared(kind: SharedKind): string {
    return `${this.#prefix}/${kind}`;
  }

  /** Set: what one claim has taken by due time and its runs still hold. It expires with the lease. */
  claim(owner: string): string {
    return `${this.#prefix}/claim/${encodePart(owner)}`;
  }

  /** Where hints are published. */
  get channel(): string {
    return `${this.#prefix}:hints`;
  }
}

/** Encodes what would join two parts, or takes six bytes in JSON. The rest stays as it is, so that a request of many names stays small. */
function encodePart(part: string): string {
  return part.replace(/[%/\p{Cc}]/gu, encodeURIComponent);
}

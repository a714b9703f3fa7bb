/**
 * The names of all keys. Each workflow has a fixed set of keys, so the keys of a request follow
 * from the IDs in it alone.
 *
 * | Key of a workflow | Content |
 * | --- | --- |
 * | `workflow` | Hash: the row as JSON, and the input, output, error and problem. |
 * | `open` | Hash: position -> deadline, failed tries and label of an open entry. |
 * | `journal` | Hash: number -> a complete entry; `p` and a position -> the number of its entry. |
 * | `inbox` | Hash: messages not received yet, where the queue of each topic begins and ends, bytes. |
 * | `sent` | Hash: dedupe key -> ID and topic of the message that has it. |
 * | `events` | Hash: key -> version, instant of the first version, and value of an event. |
 * | `streams` | Hash: values of streams; `t` and a key -> the tail of a stream and whether it is closed. |
 *
 * Upstash allows 100 MB a key, so these have a limit of 90 MB: see `MAX_COLLECTION_BYTES`. Facts
 * about several workflows are in keys that all share: `waiting` has who waits for whom, `families`
 * has which children a parent still needs.
 *
 * A key is `PREFIX/KIND/ID` or `PREFIX/KIND`. Neither a prefix nor the kind before an ID has a
 * slash, so two keys are equal only if their prefixes, kinds and IDs are.
 *
 * @module
 */

import { STATUSES } from "../../core/driver/statuses.ts";
import type { WorkflowStatus } from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";

/** Every kind of key that a workflow has. */
export const OWN_KINDS = ["workflow", "open", "journal", "inbox", "sent", "events", "streams"] as const;

/** A kind of key that a workflow has. */
export type OwnKind = typeof OWN_KINDS[number];

/** An index: the workflows of a status, or those that are parked. */
export type Index = WorkflowStatus | "parked";

/** Every {@linkcode Index}. */
const INDEXES: readonly Index[] = [...STATUSES, "parked"];

/**
 * The kinds of keys that all workflows share. Members are `ID NUL NAME` unless said otherwise.
 *
 * - `due`: sorted set of workflows that no run holds, by when they are due; `inf` if only an
 *   arrival makes them due.
 * - `leased`: sorted set of workflows that a run holds, by the end of the lease.
 * - `schedule`: sorted set by text, `NAME NUL INSTANT NUL ID` of those in `due` with an instant,
 *   for claims of some names.
 * - `waiting`: sorted set by text of workflows that are suspended for a result or an event. See
 *   `lua/waiters.ts`.
 * - `together`: hash, a workflow that waits for results together -> how many are still missing.
 * - `families`: sorted set by text of parents, and of ended children that they still need. See
 *   `lua/ending.ts`.
 * - `ended`: sorted set of ended workflows, by when they ended, without those in `families`.
 * - `expiring`: sorted set of workflows that expire, by when. With a `+` before it and at 0: a
 *   child whose keys have no expiry yet.
 * - `index/` and an index: sorted set by text, the newest first. `named/` and an index: the same by
 *   name.
 */
export const SHARED_KINDS: readonly string[] = [
  ...["due", "leased", "schedule", "waiting", "together", "families", "ended", "expiring"],
  ...INDEXES.flatMap((index) => [`index/${index}`, `named/${index}`]),
];

/** The keys of one prefix. */
export class Keys {
  /** All keys begin with this and a slash. */
  readonly prefix: string;
  /**
   * The keys that all workflows share. Each script that writes declares all of them: it needs `due`
   * anyway, so with `allow-key-locking` these scripts wait for each other whichever else they declare.
   */
  readonly shared: readonly string[];

  /**
   * Creates the keys of a prefix.
   *
   * @param prefix 1 to 64 characters that the name of a channel may have.
   * @throws {ValidationError} If the prefix is anything else.
   */
  constructor(prefix: string) {
    if (!/^[A-Za-z0-9:_.-]{1,64}$/.test(prefix)) {
      throw new ValidationError(
        `Using the prefix ${JSON.stringify(prefix)}: it must be 1 to 64 of the characters A-Z a-z 0-9 : _ . -`,
      );
    }
    this.prefix = prefix;
    this.shared = SHARED_KINDS.map((kind) => `${prefix}/${kind}`);
  }

  /** The row of a workflow, and other keys that it has. */
  of(workflowId: string, ...kinds: readonly OwnKind[]): string[] {
    return ["workflow" as const, ...kinds].map((kind) => `${this.prefix}/${kind}/${workflowId}`);
  }

  /**
   * Every key of the workflows at these places in `ended`: `STATUS`, a space, 14 digits, the ID, a
   * NUL, the name.
   */
  at(places: readonly string[]): string[] {
    const ids = places.map((place) => place.slice(place.indexOf(" ") + 15, place.indexOf("\0")));
    return [...this.shared, ...ids.flatMap((id) => this.of(id, ...OWN_KINDS))];
  }

  /**
   * Set: the workflows that a claim has taken by due time and that its runs still hold. It expires
   * with the lease.
   */
  claim(owner: string): string {
    return `${this.prefix}/claim/${owner}`;
  }

  /** The channel of hints. */
  get channel(): string {
    return `${this.prefix}:hints`;
  }
}

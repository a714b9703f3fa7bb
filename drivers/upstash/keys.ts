/**
 * The names of all keys. Each workflow has a fixed set of keys, so the keys of a request follow
 * from the IDs in it alone.
 *
 * | Key of a workflow | Content, each a hash |
 * | --- | --- |
 * | `workflow` | The row, the journal, the events, and how far streams and topics are: see below. |
 * | `inbox` | The messages that wait, and the idempotency keys of all messages. |
 * | `streams` | Place, a colon, key -> a value of a stream. |
 *
 * | Field of `workflow` | Content |
 * | --- | --- |
 * | `row` | The row as JSON: see `lua/rows.ts`. |
 * | `input`, `output`, `error`, `problem` | Values that callers see. |
 * | a number | A complete entry of the journal: see `lua/operations.ts`. |
 * | `p:` and a position | The number of its entry; deadline, failed tries, start and label of an open one. |
 * | `e:` and a key | Version, instants of the first and the last version, and value of an event. |
 * | `t:` and a key | The tail of a stream, `c` if it is closed, and the instant of the last write. |
 * | `c:` and an ID | A workflow that it has started, and whose entry has left the journal. |
 * | `h:` and a topic | The place of the next message that is received, if any was. |
 *
 * | Field of `inbox` | Content |
 * | --- | --- |
 * | place, a colon, topic | Number, instant, ID, dedupe key and value of a message. |
 * | `t:` and a topic | The place of the next message that is sent, while any waits. |
 * | `k:` and a dedupe key | ID and topic of the message that has it. |
 * | `last`, `bytes` | The number of the last message; bytes of all that was sent, received or not. |
 *
 * Upstash allows 100 MB a key, so each has a limit of 90 MB: see `MAX_COLLECTION_BYTES`.
 *
 * A key is `PREFIX/KIND/ID` or `PREFIX/KIND`. Neither a prefix nor the kind before an ID has a
 * slash, so two keys are equal only if their prefixes, kinds and IDs are.
 *
 * @module
 */

import { STATUSES } from "../../core/driver/statuses.ts";
import { ValidationError } from "../../core/errors.ts";

/** Every kind of key that a workflow has. */
export const OWN_KINDS = ["workflow", "inbox", "streams"] as const;

/**
 * The kinds of keys that all workflows share: sorted sets of `ID NUL NAME` unless said otherwise.
 *
 * - `due`: workflows that have not ended, by when they are due or their lease ends. See
 *   `lua/schedule.ts`.
 * - `schedule`: `NAME NUL INSTANT NUL ID` of those in `due` that no run holds and that an instant
 *   makes due, by text, for claims of some names.
 * - `waiting`: workflows that are suspended for a result or an event. See `lua/waiters.ts`.
 * - `together`: a hash, a workflow that waits for results together -> how many are still missing.
 * - `families`: parents, and ended children that they still need. See `lua/ending.ts`.
 * - `ended`: ended workflows by when they ended, without those in `families`, and when they expire.
 * - `index/` and a status or `parked`: by text, all of them, the newest first, and again by name.
 */
export const SHARED_KINDS: readonly string[] = [
  ...["due", "schedule", "waiting", "together", "families", "ended"],
  ...[...STATUSES, "parked"].map((index) => `index/${index}`),
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

  /** @throws {ValidationError} If the prefix is not 1 to 64 characters that a channel may have. */
  constructor(prefix: string) {
    if (!/^[A-Za-z0-9:_.-]{1,64}$/.test(prefix)) {
      throw new ValidationError(
        `Using the prefix ${JSON.stringify(prefix)}: it must be 1 to 64 of the characters A-Z a-z 0-9 : _ . -`,
      );
    }
    this.prefix = prefix;
    this.shared = SHARED_KINDS.map((kind) => `${prefix}/${kind}`);
  }

  /** Every key of these workflows. */
  ofAll(workflowIds: readonly string[]): string[] {
    return workflowIds.flatMap((id) => this.of(id, ...OWN_KINDS));
  }

  /** The row of a workflow, and other keys that it has. */
  of(workflowId: string, ...kinds: readonly typeof OWN_KINDS[number][]): string[] {
    return ["workflow" as const, ...kinds].map((kind) => `${this.prefix}/${kind}/${workflowId}`);
  }

  /** The same for places in `ended`: `STATUS`, a space, 14 digits, the ID, a NUL, the name. */
  ofPlaces(places: readonly string[]): string[] {
    return this.ofAll(places.map((place) => place.slice(place.indexOf(" ") + 15, place.indexOf("\0"))));
  }

  /** Set: what a claim has taken by due time and its runs still hold. It expires with the lease. */
  claim(owner: string): string {
    return `${this.prefix}/claim/${owner}`;
  }

  /** The channel of hints. */
  get channel(): string {
    return `${this.prefix}:hints`;
  }
}

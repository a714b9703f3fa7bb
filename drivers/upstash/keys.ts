/**
 * The names of all keys: what is where, and that no two things are ever in one place.
 *
 * A key is `PREFIX/KIND/PART/PART...`. In each part slashes, percent signs and control characters are percent-encoded, so that it has no slash, and the
 * number of parts goes with the kind. The prefix has no slash either. So keys are equal only if their prefixes, kinds and parts are. All else stays as it is:
 * a request of many names would grow too large with all of them encoded.
 *
 * @module
 */

import type { WorkflowStatus } from "../../core/driver.ts";
import { ValidationError } from "../../core/errors.ts";

/** How many entries, and how many values, are in one list: 64 MiB, if each has 1 MiB. */
export const SEGMENT_SIZE = 64;

/** How many positions are in one hash. */
export const POSITIONS_SIZE = 4_096;

/** Over how many hashes the events of a workflow are spread, and what it knows of the messages that it was sent. */
export const BUCKETS = 16;

/** The keys of one prefix. */
export class Keys {
  readonly #prefix: string;

  /**
   * @param prefix What all keys begin with.
   * @throws {ValidationError} If it is not 1 to 64 characters of those that may be in the name of a channel.
   */
  constructor(prefix: string) {
    if (!/^[A-Za-z0-9:_.-]{1,64}$/.test(prefix)) {
      throw new ValidationError(`Using the prefix ${JSON.stringify(prefix)}: it must be 1 to 64 of the characters A-Z a-z 0-9 : _ . -`);
    }
    this.#prefix = prefix;
  }

  // Those that all workflows share. Their members are `ID NUL NAME`, so that nothing else has to be looked up to know whom to wake or to claim.

  /** Sorted set: who is not held by a run, by when it is due; `inf` for those that only something that arrives makes due. */
  get due(): string {
    return this.#key("due");
  }
  /** Sorted set: who is held by a run, by the end of its lease. */
  get leased(): string {
    return this.#key("leased");
  }
  /** Sorted set, by text: who is in `due` with an instant, as `NAME NUL INSTANT NUL ID`. It is where a claim passes over names that it cannot run. */
  get schedule(): string {
    return this.#key("schedule");
  }
  /** Sorted set, by text: workflows of a status, or those that are parked, the newest first. */
  index(status: WorkflowStatus | "parked"): string {
    return this.#key("index", status);
  }
  /** Sorted set, by text: those of an index by their names; those of one name as in {@linkcode Keys.index}. */
  named(status: WorkflowStatus | "parked"): string {
    return this.#key("named", status);
  }
  /** Sorted set: who has ended, by when; without those that are in `kept`. */
  get ended(): string {
    return this.#key("ended");
  }
  /** Sorted set: who expires, by when. With a `+` before it, and at 0: a child whose expiry begins, and whose keys have none yet. */
  get expiring(): string {
    return this.#key("expiring");
  }
  /** Sorted set: whose keys are being removed, by since when. */
  get purging(): string {
    return this.#key("purging");
  }
  /** Hash: who is suspended for results together -> of how many workflows it still waits for the end. */
  get together(): string {
    return this.#key("together");
  }
  /** Set: what one claim has taken by due time and its runs still hold. Expires with the lease. */
  claim(owner: string): string {
    return this.#key("claim", owner);
  }
  /** Where hints are published. */
  get channel(): string {
    return `${this.#prefix}:hints`;
  }

  // Those of one workflow.

  /** Hash: the row. */
  workflow(id: string): string {
    return this.#key("workflow", id);
  }
  /** Sorted set: those that it has started, that have ended, and whose results it may still ask for; by when. */
  kept(id: string): string {
    return this.#key("kept", id);
  }
  /** Hash: position -> deadline, failed tries and label of an entry that is open. */
  open(id: string): string {
    return this.#key("open", id);
  }
  /** Hash: position -> the place of its entry in the journal. */
  positions(id: string, bucket: number): string {
    return this.#key("positions", id, bucket);
  }
  /** List: {@linkcode SEGMENT_SIZE} complete entries in recorded order. */
  journal(id: string, segment: number): string {
    return this.#key("journal", id, segment);
  }
  /** Hash: the number of the last message, and where the queue of each topic begins and ends. */
  inbox(id: string): string {
    return this.#key("inbox", id);
  }
  /** List: messages of a topic that were not received yet. */
  queue(id: string, topic: string, segment: number): string {
    return this.#key("queue", id, topic, segment);
  }
  /** Hash: dedupe key -> ID and topic of the message that has it. */
  sent(id: string, dedupeKey: string): string {
    return this.#key("sent", id, bucketOf(dedupeKey));
  }
  /** Hash: versions and values of events, and when they were set first. */
  events(id: string, key: string): string {
    return this.#key("events", id, bucketOf(key));
  }
  /** Hash: key -> the tail of a stream, and whether it was closed. */
  streams(id: string): string {
    return this.#key("streams", id);
  }
  /** List: {@linkcode SEGMENT_SIZE} values of a stream. */
  stream(id: string, key: string, segment: number): string {
    return this.#key("stream", id, key, segment);
  }
  /** Every hash that {@linkcode Keys.sent} and {@linkcode Keys.events} may name: first those, then these, in the order of buckets. */
  buckets(id: string): string[] {
    return ["sent", "events"].flatMap((kind) => Array.from({ length: BUCKETS }, (_, bucket) => this.#key(kind, id, bucket)));
  }

  // What belongs to those who wait, also for a workflow that does not exist yet.

  /** Sorted set, by text: who is suspended for the result or an event of a workflow. */
  waiters(id: string): string {
    return this.#key("waiters", id);
  }

  #key(kind: string, ...parts: (string | number)[]): string {
    return [this.#prefix, kind, ...parts.map(encodePart)].join("/");
  }
}

/** What would run together with another part, or takes six bytes in JSON. */
const ENCODED = /[%/\p{Cc}]/gu;

function encodePart(part: string | number): string {
  return String(part).replace(ENCODED, encodeURIComponent);
}

/** Which hash a key is in. It is stored, so it never changes: FNV-1a over the UTF-16 code units. */
export function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}

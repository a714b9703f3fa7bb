/**
 * Every script that the driver sends.
 *
 * A script runs alone: what it has looked at stays as it was until it ends, so each is atomic. Redis does not take back what a script wrote before it
 * failed, so each looks at everything before its first write.
 *
 * `KEYS` has every key that the script touches, as Upstash's `allow-key-locking` requires: with it a script locks these keys and not the whole database.
 * `ARGV[1]` is a JSON document, the request; it refers to keys by their place in `KEYS` and to the values that follow it by their place in `ARGV`. The answer is a
 * list of texts: a JSON document, then the values that it refers to by their place. Each text begins with `=`. See `call.ts` and `answer.ts`.
 *
 * @module
 */

import type { Driver } from "../../core/driver.ts";
import { claimMain, peekMain } from "./lua/claim.ts";
import { commit, commitMain } from "./lua/commit.ts";
import { controlMain } from "./lua/control.ts";
import { createMain, sendMain } from "./lua/create.ts";
import { inbox, messages } from "./lua/inbox.ts";
import { journal, pages, parseOpen } from "./lua/journal.ts";
import { applying, operations, repeated } from "./lua/operations.ts";
import { hints, prelude, ranges, segments } from "./lua/prelude.ts";
import { expireMain, purgeMarkMain, purgePeekMain, purgeRemoveMain } from "./lua/purge.ts";
import { listMain, readEventMain, readJournalMain, readStreamMain, readWorkflowsMain } from "./lua/read.ts";
import { insert, records, rows, schedule } from "./lua/rows.ts";
import { parseStream, streams } from "./lua/streams.ts";
import { coverage, ending } from "./lua/transition.ts";
import { waiters } from "./lua/waiters.ts";

/** A script, and its name in Redis. */
export interface Script extends ScriptText {
  /** The method of the driver that sends it, as errors name it. */
  readonly method: keyof Driver;
  /** Without the flag of Upstash's, for servers that refuse it. */
  readonly unlocked: ScriptText;
}

/** What is sent. */
export interface ScriptText {
  readonly source: string;
  /** The SHA-1 of the source, as `EVALSHA` takes it. */
  readonly sha: Promise<string>;
}

const SHEBANG = "#!lua";
const FLAGS = " flags=allow-key-locking";

/** What is waited for, woken, and expires. */
const change = [rows, hints, schedule, segments, ranges, waiters, ending];

/** The scripts by what they are for. The type of each request is where it is built, in `calls/`. */
export const SCRIPTS = {
  /** `Driver.create`. KEYS: schedule, row, indexes of ENQUEUED and PENDING. */
  create: script("create", rows, hints, schedule, insert, createMain),
  /** `Driver.send`. KEYS: schedule; of each destination row, inbox, the last segment of each queue, buckets of sent keys. */
  send: script("send", rows, hints, schedule, segments, waiters, inbox, messages, sendMain),
  /**
   * `Driver.commit`. KEYS: schedule, the indexes of those that are parked, and of PENDING with a start; of the workflow its row, open entries, those that it keeps, buckets of
   * positions, and the segments of its journal, streams and queues that the operations may need; the sets of waiters that it is in; rows, inboxes, events and waiters of others that
   * the operations name. With a transition, the set of what its claim has taken. With an end or a wait for a result, those that ended and expire, and with a retention the indexes
   * of what has ended. With an end, the indexes of PENDING and of the new status, and with a retention all keys of the workflow, the row of its parent, and those that this keeps.
   */
  commit: script(
    "commit",
    ...[...change, parseStream, insert, inbox, messages],
    ...[parseOpen, journal, streams, coverage, operations, applying, repeated, commit, commitMain],
  ),
  /** The first half of a claim by due time. KEYS: schedule, the set of what a claim has taken. It touches no workflow. */
  peek: script("claim", hints, schedule, peekMain),
  /**
   * `Driver.claim` by ID. KEYS: schedule, the indexes of ENQUEUED and PENDING; of each workflow its row, open entries, inbox, streams, and the first segments of its
   * journal; by due time, the set of what the claim has taken.
   */
  claim: script("claim", rows, records, hints, schedule, segments, ranges, parseOpen, pages, parseStream, coverage, claimMain),
  /** `Driver.readWorkflow`, and the second half of a list. KEYS: rows. */
  readWorkflows: script("readWorkflow", rows, records, readWorkflowsMain),
  /** `Driver.readJournal`. KEYS: row, the segments of the page. */
  readJournal: script("readJournal", rows, segments, pages, readJournalMain),
  /** `Driver.readEvent`. KEYS: row, a bucket of events. */
  readEvent: script("readEvent", rows, readEventMain),
  /** `Driver.readStream`. KEYS: row, streams, the segments of the page. */
  readStream: script("readStream", rows, segments, pages, parseStream, readStreamMain),
  /** The first half of a list. KEYS: schedule, indexes, those that ended and expire. It touches no workflow. */
  list: script("listWorkflows", ...change, listMain),
  /**
   * `Driver.control`. KEYS: schedule, indexes, those that ended and expire; of the workflow its row, inbox, streams, waiters, those that it keeps, and the sets of waiters that it
   * is in; of its parent, as far as that is known, the row and those that it keeps; where it expires, all its keys.
   */
  control: script("control", ...change, parseStream, coverage, controlMain),
  /** Which workflows a purge may remove. KEYS: schedule, indexes, those that ended, expire, and are being purged. */
  purgePeek: script("purge", ...change, purgePeekMain),
  /** Makes workflows vanish, and says which keys they have. KEYS: as before, and of each workflow and its parent the row, inbox, streams and those that it keeps. */
  purgeMark: script("purge", ...change, parseStream, coverage, purgeMarkMain),
  /** Removes keys of workflows that are marked. KEYS: those being purged, rows, and what is to be removed. */
  purgeRemove: script("purge", ranges, purgeRemoveMain),
  /**
   * What follows a commit or a cancel, where that ends or reads what a workflow has started, and there is a retention. KEYS: schedule, those that expire; of each
   * workflow its row, inbox, streams, and all its keys.
   */
  expire: script("purge", ...change, parseStream, coverage, expireMain),
} as const satisfies Record<string, Script>;

/** A script by its name. */
export type ScriptName = keyof typeof SCRIPTS;

function script(method: keyof Driver, ...parts: readonly string[]): Script {
  const body = [prelude, ...parts].map((part) => part.trim()).join("\n");
  return Object.assign(text(`${SHEBANG}${FLAGS}\n${body}`), { method, unlocked: text(`${SHEBANG}\n${body}`) });
}

/** Its SHA-1 is made when it is wanted. */
function text(source: string): ScriptText {
  let sha: Promise<string> | undefined;
  return {
    source,
    get sha() {
      return sha ??= sha1(source);
    },
  };
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

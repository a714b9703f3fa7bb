/**
 * Every script that the driver sends.
 *
 * A script runs alone: what it has looked at stays as it was until it ends, so each is atomic. Redis does not take back what a script wrote before it
 * failed, so each looks at everything before its first write.
 *
 * `KEYS` has every key that the script touches, as Upstash's `allow-key-locking` requires: with it a script locks these keys and not the whole database.
 * `ARGV[1]` is a JSON document, the request; it refers to keys by their place in `KEYS` and to the values that follow it by their place in `ARGV`. The answer is a
 * list of texts: a JSON document, then the values that it refers to by their place. Each text begins with `=`. See `script_request.ts` and `answer.ts`.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { claimMain, peekMain } from "./lua/claim.ts";
import { commit, commitMain } from "./lua/commit.ts";
import { ending } from "./lua/ending.ts";
import { inbox, messages } from "./lua/inbox.ts";
import { journal, pages, parseOpen } from "./lua/journal.ts";
import { controlMain, createMain, sendMain } from "./lua/lifecycle.ts";
import { applying, operations, repeated } from "./lua/operations.ts";
import { hints, prelude } from "./lua/prelude.ts";
import { expireMain, purgeMain, purgePeekMain } from "./lua/purge.ts";
import { listMain, readEventMain, readJournalMain, readStreamMain, readWorkflowsMain } from "./lua/read.ts";
import { insert, records, rows } from "./lua/rows.ts";
import { schedule } from "./lua/schedule.ts";
import { parseStream, streams } from "./lua/streams.ts";
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
const change = [rows, hints, schedule, waiters, ending];

/** The scripts by what they are for. The type of each request is where it is built, in `calls/`. */
export const SCRIPTS = {
  /** `Driver.create`. */
  create: script("create", rows, hints, schedule, insert, createMain),
  /** `Driver.send`. */
  send: script("send", rows, hints, schedule, waiters, inbox, messages, sendMain),
  /** `Driver.commit`. */
  commit: script(
    "commit",
    ...[...change, insert, inbox, messages, parseStream, parseOpen, journal, streams],
    ...[operations, applying, repeated, commit, commitMain],
  ),
  /** The first half of a claim by due time. It touches no workflow, because only the store knows which are due. */
  peek: script("claim", hints, schedule, peekMain),
  /** `Driver.claim` by ID. */
  claim: script("claim", rows, records, hints, schedule, parseOpen, pages, claimMain),
  /** `Driver.readWorkflow`, and the second half of a list. */
  readWorkflows: script("readWorkflow", rows, records, readWorkflowsMain),
  /** `Driver.readJournal`. */
  readJournal: script("readJournal", rows, pages, readJournalMain),
  /** `Driver.readEvent`. */
  readEvent: script("readEvent", rows, readEventMain),
  /** `Driver.readStream`. */
  readStream: script("readStream", rows, pages, parseStream, readStreamMain),
  /** The first half of a list. It touches no workflow. */
  list: script("listWorkflows", ...change, listMain),
  /** `Driver.control`. */
  control: script("control", ...change, controlMain),
  /** The first half of a purge: which workflows it may remove. */
  purgePeek: script("purge", ...change, purgePeekMain),
  /** The second half of a purge. */
  purge: script("purge", ...change, purgeMain),
  /** Begins the expiry of children that nobody needs any more. It follows the call that found them. */
  expire: script("purge", ...change, expireMain),
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

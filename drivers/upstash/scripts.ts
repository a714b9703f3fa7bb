/**
 * Every script that the driver sends.
 *
 * A script runs alone, so each is atomic. Redis does not take back the writes of a script that fails
 * later, so each script looks at everything before its first write.
 *
 * `KEYS` declares every key that the script touches, as Upstash's `allow-key-locking` requires: with
 * it a script locks these keys and not the whole database. `ARGV[1]` is the request, a JSON document
 * that refers to the values after it by their place in `ARGV`. The answer is a list of texts: a JSON
 * document, then the values that it refers to by their place. Each text begins with `=`. See
 * `script_calls.ts` and `answer.ts`.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { hexDigest } from "../../core/values/hex_digest.ts";
import { claimMain, peekMain } from "./lua/claim.ts";
import { commitMain, committing } from "./lua/commit.ts";
import { ending } from "./lua/ending.ts";
import { inbox, sending } from "./lua/inbox.ts";
import { entries, paging, parseOpen } from "./lua/journal.ts";
import { controlMain, createMain, sendMain } from "./lua/lifecycle.ts";
import { applying, operations, repeated } from "./lua/operations.ts";
import { prelude } from "./lua/prelude.ts";
import { parsing, published } from "./lua/published.ts";
import { expireMain, keeping, keepMain, places, purgeMain, purgePeekMain } from "./lua/purge.ts";
import { listMain, readEventMain, readJournalMain, readStreamMain, readWorkflowsMain } from "./lua/read.ts";
import { insert, records, rows } from "./lua/rows.ts";
import { schedule } from "./lua/schedule.ts";
import { waiters } from "./lua/waiters.ts";

/** A script, and its name in Redis. */
export interface Script extends ScriptText {
  /** The method of the driver that sends it, as errors name it. */
  readonly method: keyof Driver;
  /** The same script without Upstash's flag, for servers that refuse it. */
  readonly unlocked: ScriptText;
}

/** The text of a script. */
export interface ScriptText {
  readonly source: string;
  /** The SHA-1 of the source, as `EVALSHA` takes it. */
  readonly sha: Promise<string>;
}

const SHEBANG = "#!lua";
const FLAGS = " flags=allow-key-locking";

/** The parts of scripts that change when a workflow is due, wake, or end. */
const change = [rows, schedule, waiters, ending];

/** The scripts by name. `driver.ts` and `calls/` build their requests. */
export const SCRIPTS = {
  /** `Driver.create`. */
  create: script("create", rows, schedule, insert, createMain),
  /** `Driver.send`. */
  send: script("send", rows, schedule, waiters, inbox, sending, sendMain),
  /** `Driver.commit`. */
  commit: script(
    "commit",
    ...[...change, insert, inbox, sending, parsing, parseOpen, entries, published],
    ...[operations, applying, repeated, committing, commitMain],
  ),
  /**
   * The first half of a claim by due time. It touches no workflow, because only the store knows
   * which workflows are due.
   */
  peek: script("claim", rows, schedule, peekMain),
  /** `Driver.claim` by ID. */
  claim: script("claim", rows, records, schedule, parseOpen, paging, claimMain),
  /** `Driver.readWorkflow`, and the second half of a list. */
  readWorkflows: script("readWorkflow", records, readWorkflowsMain),
  /** `Driver.readJournal`. */
  readJournal: script("readJournal", rows, paging, readJournalMain),
  /** `Driver.readEvent`. */
  readEvent: script("readEvent", rows, parsing, readEventMain),
  /** `Driver.readStream`. */
  readStream: script("readStream", rows, paging, parsing, readStreamMain),
  /** The first half of a list. It touches no workflow. */
  list: script("listWorkflows", ...change, listMain),
  /** `Driver.control`. */
  control: script("control", ...change, controlMain),
  /** The first half of a purge: which workflows it may remove. */
  purgePeek: script("purge", ...change, purgePeekMain),
  /** The second half of a purge. */
  purge: script("purge", ...change, places, purgeMain),
  /** Begins the expiry of children that nobody needs any more. It follows the call that found them. */
  expire: script("purge", ...change, places, keeping, expireMain),
  /** Keeps the children of a resumed workflow again. It follows `control`. */
  keep: script("control", ...change, keeping, keepMain),
} as const satisfies Record<string, Script>;

/** A script by its name. */
export type ScriptName = keyof typeof SCRIPTS;

function script(method: keyof Driver, ...parts: readonly string[]): Script {
  const body = [prelude, ...parts].map((part) => part.trim()).join("\n");
  return Object.assign(text(`${SHEBANG}${FLAGS}\n${body}`), { method, unlocked: text(`${SHEBANG}\n${body}`) });
}

/** A text, whose SHA-1 is computed on first use. */
function text(source: string): ScriptText {
  let sha: Promise<string> | undefined;
  return {
    source,
    get sha() {
      return sha ??= hexDigest(source, "SHA-1");
    },
  };
}

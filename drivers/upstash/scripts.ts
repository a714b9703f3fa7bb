/**
 * Every script that the driver sends.
 *
 * A script runs alone, so each is atomic. Redis does not take back the writes of a script that fails
 * later, so each script looks at everything before its first write.
 *
 * `KEYS` declares every key that the script touches, as Upstash's `allow-key-locking` requires: with
 * it a script locks these keys and not the whole database. `ARGV[1]` is the request, a JSON document
 * that refers to the values after it by their place in `ARGV`. `script_calls.ts` describes the answer.
 *
 * The comments on functions are outside of the texts, so that neither a bundle nor a request has them.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { hexDigest } from "../../core/values/hex_digest.ts";
import { claimMain, peekMain } from "./lua/claim.ts";
import { commitMain } from "./lua/commit.ts";
import { ending } from "./lua/ending.ts";
import { inbox } from "./lua/inbox.ts";
import {
  controlMain,
  createMain,
  deleteMain,
  expireMain,
  familyMain,
  keepMain,
  purgeMain,
  purgePeekMain,
  sendMain,
} from "./lua/lifecycle.ts";
import { listEventsMain, listMessagesMain, listStreamsMain, look, readHistoryMain } from "./lua/look.ts";
import { operations } from "./lua/operations.ts";
import { prelude } from "./lua/prelude.ts";
import { listMain, paging, readEventMain, readJournalMain, readStreamMain, readWorkflowsMain } from "./lua/read.ts";
import { insert, rows } from "./lua/rows.ts";
import { schedule } from "./lua/schedule.ts";
import { waiters } from "./lua/waiters.ts";

/** A script as Upstash takes it, and without Upstash's flag, for servers that refuse it. */
export interface Script extends ScriptText {
  /** The method of the driver that sends it, as errors name it. */
  readonly method: keyof Driver;
  /** Whether it touches keys that all workflows share, and so declares them. */
  readonly isShared: boolean;
  readonly unlocked: ScriptText;
}

/** The text of a script. */
export interface ScriptText {
  readonly source: string;
  /** The SHA-1 of the source, as `EVALSHA` takes it. */
  readonly sha: Promise<string>;
}

/** The parts of scripts that change when a workflow is due, wake, or end. */
const change = [schedule, waiters, ending];

/** The scripts by name. `driver.ts` and `calls/` build their requests. */
export const SCRIPTS = {
  create: script("create", schedule, insert, createMain),
  send: script("send", schedule, waiters, inbox, sendMain),
  commit: script("commit", ...change, insert, inbox, operations, commitMain),
  peek: script("claim", schedule, peekMain),
  claim: script("claim", schedule, paging, claimMain),
  readWorkflows: script("readWorkflow", readWorkflowsMain),
  readJournal: script("readJournal", paging, readJournalMain),
  readEvent: script("readEvent", readEventMain),
  readStream: script("readStream", paging, readStreamMain),
  list: script("listWorkflows", ...change, listMain),
  control: script("control", ...change, inbox, controlMain),
  family: script("control", ...change, familyMain),
  delete: script("delete", ...change, deleteMain),
  readHistory: script("readHistory", look, readHistoryMain),
  listMessages: script("listMessages", ...change, inbox, look, listMessagesMain),
  listEvents: script("listEvents", look, listEventsMain),
  listStreams: script("listStreams", look, listStreamsMain),
  purgePeek: script("purge", ...change, purgePeekMain),
  purge: script("purge", ...change, purgeMain),
  expire: script("purge", ...change, expireMain),
  keep: script("control", ...change, keepMain),
} as const satisfies Record<string, Script>;

/** A script by its name. */
export type ScriptName = keyof typeof SCRIPTS;

function script(method: keyof Driver, ...parts: readonly string[]): Script {
  const body = [prelude, rows, ...parts].map((part) => part.trim()).join("\n");
  const unlocked = scriptText(`#!lua\n${body}`);
  const isShared = parts.includes(schedule);
  return Object.assign(scriptText(`#!lua flags=allow-key-locking\n${body}`), { method, isShared, unlocked });
}

/** A text, whose SHA-1 is computed on first use. */
function scriptText(source: string): ScriptText {
  let sha: Promise<string> | undefined;
  return {
    source,
    get sha() {
      return sha ??= hexDigest(source, "SHA-1");
    },
  };
}

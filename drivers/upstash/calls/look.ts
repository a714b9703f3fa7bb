/**
 * The methods that show what one workflow has.
 *
 * @module
 */

import type { Driver, HistoryRecord, MessageRecord, PartPage, PartQuery } from "../../../core/driver/driver.ts";
import { parseEntry, parseReceived, type ScriptCalls } from "../script_calls.ts";

/** `readHistory`, `listMessages`, `listEvents` and `listStreams`. */
type Looks = Pick<Driver, "readHistory" | "listMessages" | "listEvents" | "listStreams">;

/** An item, or the entry of the journal that has it. */
type Stored<Item> = Item | { readonly entry: string };

/** An open entry. A script leaves out a deadline that is absent. */
type OpenRecord = Pick<HistoryRecord, "position" | "label" | "startedAt" | "attempts"> & { deadline?: number };

/** Makes the methods. */
export function looks({ call, keys }: ScriptCalls): Looks {
  const ofWorkflow = ({ workflowId }: PartQuery<unknown>) => keys.of(workflowId);
  return {
    async readHistory(query) {
      const page = await call<PartPage<Stored<OpenRecord>>>("readHistory", ofWorkflow(query), query);
      return { ...page, items: page.items.map(toHistory) };
    },
    async listMessages(query) {
      const own = keys.of(query.workflowId, "inbox");
      const page = await call<PartPage<Stored<MessageRecord>>>("listMessages", own, query);
      return { ...page, items: page.items.map((item) => "entry" in item ? parseReceived(item.entry) : item) };
    },
    listEvents: (query) => call("listEvents", ofWorkflow(query), query),
    listStreams: (query) => call("listStreams", ofWorkflow(query), query),
  };
}

function toHistory(item: Stored<OpenRecord>): HistoryRecord {
  if ("entry" in item) return parseEntry(item.entry);
  return { ...item, outcome: null, endedAt: null, deadline: item.deadline ?? null };
}

/// <reference lib="dom" />
/**
 * The messages, events and streams of a workflow. An event or a stream that is open follows live.
 *
 * @module
 */

import type { EventInfo, MessageInfo, MessagePage, StreamInfo } from "../../../core/inspection.ts";
import { arrange, button, cell, element, fill, section, table } from "./dom.ts";
import { follow, type Line, read, serverNow, workflowPath } from "./store.ts";
import { instant, valueBlock, valueLine } from "./text.ts";

/** How many values of a stream the page keeps. */
const KEPT_VALUES = 1_000;
/** How many values before the end a stream shows when it is opened. */
const VALUES_BEFORE_END = 100;
/** A browser opens few connections to one server, and the page needs one for itself. */
const FOLLOWED = 3;

/** A section that is read again as the workflow goes on. */
export interface Panel {
  readonly node: HTMLElement;
  /** Reads again. */
  refresh(): Promise<void>;
}

/** Replaces what an element contains, if the data has changed. */
function whenChanged<T>(show: (data: T) => void): (data: T) => void {
  let last = "";
  return (data) => {
    const text = JSON.stringify(data);
    if (text !== last) show(data);
    last = text;
  };
}

/** A table that keeps the rows of items that have not changed. */
class KeptTable<T> {
  readonly node = element("div");
  readonly #rows = new Map<string, { node: HTMLTableRowElement; show: (item: T) => void }>();
  readonly #table: HTMLElement;
  readonly #body: HTMLElement;
  readonly #toRow: (key: string) => { node: HTMLTableRowElement; show: (item: T) => void };

  constructor(
    caption: string,
    columns: readonly string[],
    toRow: (key: string) => {
      node: HTMLTableRowElement;
      show: (item: T) => void;
    },
  ) {
    this.#table = table(caption, columns, []);
    this.#body = this.#table.querySelector("tbody")!;
    this.#toRow = toRow;
  }

  /** Shows items, or a note if there are none. */
  show(items: readonly (readonly [key: string, item: T])[], none: string): void {
    const shown = new Set(items.map(([key]) => key));
    for (const key of this.#rows.keys()) if (!shown.has(key)) this.#rows.delete(key);
    for (const [key, item] of items) {
      const row = this.#rows.get(key) ?? this.#toRow(key);
      this.#rows.set(key, row);
      row.show(item);
    }
    arrange(this.#body, items.map(([key]) => this.#rows.get(key)!.node));
    if (items.length === 0) fill(this.node, element("p.note", {}, none));
    else if (!this.#table.isConnected || this.#table.parentElement !== this.node) fill(this.node, this.#table);
  }
}

/** The messages. */
export function messagesPanel(workflowId: string): Panel {
  const state = element(
    "select",
    { onchange: () => again() },
    ["unread", "received", "all"].map((it) => element("option", { value: it }, it)),
  );
  const columns = ["Topic", "Sent", "Received", "Value"];
  const messages = new KeptTable<MessageInfo>("Messages, in the order of the sends", columns, toMessageRow);
  let pages = 1;
  const more = button("Load more messages", () => again(pages + 1), { hidden: true });
  const problem = element("p.failed", { role: "status" });
  const again = (count = 1) => {
    pages = count;
    refresh().catch((error: Error) => problem.textContent = error.message);
  };
  let last = 0;
  const refresh = async () => {
    const [turn, chosen] = [++last, state.value];
    const found: MessageInfo[] = [];
    let next: number | undefined;
    for (let page = 0; page === 0 || (page < pages && next !== undefined); page++) {
      const path = workflowPath(workflowId, "messages");
      const answer: MessagePage = await read<MessagePage>(path, { state: chosen, after: next });
      found.push(...answer.messages);
      next = answer.next;
    }
    // A later choice may have been answered earlier.
    if (turn !== last) return;
    problem.textContent = "";
    more.hidden = next === undefined;
    messages.show(
      found.map((message) => [message.messageId, message]),
      chosen === "all" ? "No messages." : `No ${chosen} messages.`,
    );
  };
  const choice = element("label.check", {}, "Show ", state);
  return { node: section("Messages", choice, messages.node, more, problem), refresh };
}

function toMessageRow(messageId: string): { node: HTMLTableRowElement; show: (message: MessageInfo) => void } {
  const [sent, received] = [cell("Sent"), cell("Received")];
  const node = element("tr");
  const show = whenChanged<MessageInfo>(
    ({ topic, value, sentAt, receivedAt, position, idempotencyKey, unreadable }) => {
      fill(sent, instant(sentAt));
      fill(received, receivedAt === undefined ? "unread" : [instant(receivedAt), ` by ${position}`]);
      if (node.childElementCount > 0) return;
      const content = () => [
        valueBlock(value, unreadable),
        element("p.note", {}, `ID ${messageId}`, idempotencyKey !== undefined && `, key ${idempotencyKey}`),
      ];
      fill(
        node,
        element("th", { scope: "row" }, topic === "" ? element("em", {}, "no topic") : JSON.stringify(topic)),
        sent,
        received,
        cell("Value", folded(unreadable ? "unreadable" : valueLine(value), content)),
      );
    },
  );
  return { node, show };
}

/** A line that opens, and makes its content then. */
function folded(summary: string, content: () => (Node | string)[]): HTMLDetailsElement {
  const node = element("details", {}, element("summary", {}, summary));
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) node.append(...content());
  });
  return node;
}

/** What is followed now, oldest first. */
const followed: AbortController[] = [];

/** Stops to follow, for example when the page of the workflow is left. */
export function stopFollowing(): void {
  for (const controller of followed.splice(0)) controller.abort();
}

/**
 * A button that follows a live answer, and stops again.
 *
 * @param name What is followed, for those who do not see the row.
 * @param run Follows until the signal is aborted.
 */
function followButton(name: string, run: (signal: AbortSignal) => Promise<void>): HTMLButtonElement {
  let controller: AbortController | undefined;
  const toggle = async () => {
    if (controller?.signal.aborted === false) return controller.abort();
    const own = controller = new AbortController();
    while (followed.length >= FOLLOWED) followed.shift()!.abort();
    followed.push(own);
    own.signal.addEventListener("abort", () => node.setAttribute("aria-pressed", "false"));
    node.setAttribute("aria-pressed", "true");
    await run(own.signal);
    own.abort();
    if (followed.includes(own)) followed.splice(followed.indexOf(own), 1);
  };
  const node = button("Follow", () => void toggle(), { "aria-pressed": "false", "aria-label": `Follow ${name}` });
  return node;
}

/** The events. */
export function eventsPanel(workflowId: string, mayFollow: boolean): Panel {
  const toRow = (key: string) => {
    const [version, updated, value] = [cell("Version"), cell("Set"), cell("Value")];
    let seen = 0;
    const show = whenChanged<Partial<EventInfo>>((event) => {
      if (event.version! < seen) return;
      seen = event.version!;
      fill(version, seen);
      if (event.updatedAt !== undefined) fill(updated, instant(event.updatedAt));
      fill(value, valueBlock(event.value, event.unreadable));
    });
    const toggle = mayFollow && followButton(`event ${key}`, async (signal) => {
      const path = workflowPath(workflowId, "events", key);
      const pathAfter = (last: Line | undefined) => `${path}?after=${last?.version ?? seen}`;
      await follow(pathAfter, signal, (line) => show({ ...line, updatedAt: serverNow() })).catch((error) =>
        fill(value, (error as Error).message)
      );
    });
    const node = element(
      "tr",
      {},
      element("th", { scope: "row" }, JSON.stringify(key)),
      version,
      updated,
      value,
      cell("Live", toggle),
    );
    return { node, show };
  };
  const events = new KeptTable<EventInfo>("Events, by key", ["Key", "Version", "Set", "Value", "Live"], toRow);
  const refresh = async () => {
    const found = await read<EventInfo[]>(workflowPath(workflowId, "events"));
    events.show(found.map((event) => [event.key, event]), "No events.");
  };
  return { node: section("Events", events.node), refresh };
}

/** The streams. */
export function streamsPanel(workflowId: string, mayFollow: boolean): Panel {
  const toRow = (key: string) => {
    const [length, closed, updated] = [cell("Values"), cell("State"), cell("Written")];
    const values = element("ol.values", { tabindex: 0, "aria-label": `Values of stream ${key}` });
    let latest: StreamInfo | undefined;
    const show = whenChanged<StreamInfo>((stream) => {
      latest = stream;
      fill(length, stream.length);
      fill(closed, stream.closed ? "closed" : "open");
      fill(updated, instant(stream.updatedAt));
    });
    const toggle = mayFollow && followButton(`stream ${key}`, async (signal) => {
      const path = workflowPath(workflowId, "streams", key);
      const from = Math.max(0, (latest?.length ?? 0) - VALUES_BEFORE_END);
      values.replaceChildren();
      const pathAfter = (last: Line | undefined) => `${path}?from=${last ? last.offset! + 1 : from}`;
      await follow(pathAfter, signal, ({ offset, value }) => {
        const isAtEnd = values.scrollTop + values.clientHeight >= values.scrollHeight - 4;
        values.append(element("li", { value: offset }, valueLine(value, 2_000)));
        if (values.childElementCount > KEPT_VALUES) values.firstElementChild!.remove();
        if (isAtEnd) values.scrollTop = values.scrollHeight;
      }).catch((error) => values.append(element("li", {}, (error as Error).message)));
    });
    const node = element(
      "tr",
      {},
      element("th", { scope: "row" }, JSON.stringify(key)),
      length,
      closed,
      updated,
      cell("Live", toggle, values),
    );
    return { node, show };
  };
  const streams = new KeptTable<StreamInfo>("Streams, by key", ["Key", "Values", "State", "Written", "Live"], toRow);
  const refresh = async () => {
    const found = await read<StreamInfo[]>(workflowPath(workflowId, "streams"));
    streams.show(found.map((stream) => [stream.key, stream]), "No streams.");
  };
  return { node: section("Streams", streams.node), refresh };
}

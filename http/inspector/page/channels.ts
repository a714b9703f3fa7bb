/// <reference lib="dom" />
/**
 * The messages, events and streams of a workflow. An event or a stream that is open follows live.
 *
 * @module
 */

import type { EventInfo, MessagePage, StreamInfo } from "../../../core/inspection.ts";
import { button, cell, element, fill, section, table } from "./dom.ts";
import { follow, type Line, read, workflowPath } from "./store.ts";
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

/** The messages. */
export function messagesPanel(workflowId: string): Panel {
  const content = element("div");
  const state = element(
    "select",
    { onchange: () => void refresh() },
    ["unread", "received", "all"].map((it) => element("option", { value: it }, it)),
  );
  const show = whenChanged<MessagePage & { state: string }>(({ messages, next, state }) => {
    const rows = messages.map(({ topic, value, sentAt, receivedAt, position, messageId, idempotencyKey, unreadable }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, topic === "" ? element("em", {}, "no topic") : JSON.stringify(topic)),
        element("td", {}, instant(sentAt)),
        element("td", {}, receivedAt === undefined ? "unread" : [instant(receivedAt), ` by ${position}`]),
        element(
          "td",
          {},
          folded(unreadable ? "unreadable" : valueLine(value), () => [
            valueBlock(value, unreadable),
            element("p.note", {}, `ID ${messageId}`, idempotencyKey !== undefined && `, key ${idempotencyKey}`),
          ]),
        ),
      )
    );
    fill(
      content,
      rows.length === 0
        ? element("p.note", {}, state === "all" ? "No messages." : `No ${state} messages.`)
        : table("Messages, in the order of the sends", ["Topic", "Sent", "Received", "Value"], rows),
      next !== undefined && element("p.note", {}, "There are more."),
    );
  });
  const refresh = async () => {
    const page = await read<MessagePage>(workflowPath(workflowId, "messages"), { state: state.value });
    show({ ...page, state: state.value });
  };
  return { node: section("Messages", element("label.check", {}, "Show ", state), content), refresh };
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
  const rows = new Map<string, { node: HTMLTableRowElement; show: (event: Partial<EventInfo>) => void }>();
  const content = element("div");
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
      await follow(pathAfter, signal, (line) => show({ ...line, updatedAt: Date.now() })).catch((error) =>
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
  const refresh = async () => {
    const events = await read<EventInfo[]>(workflowPath(workflowId, "events"));
    const isNew = events.some(({ key }) => !rows.has(key)) || content.childElementCount === 0;
    for (const event of events) {
      const row = rows.get(event.key) ?? toRow(event.key);
      rows.set(event.key, row);
      row.show(event);
    }
    if (!isNew) return;
    const columns = ["Key", "Version", "Set", "Value", "Live"];
    const nodes = events.map(({ key }) => rows.get(key)!.node);
    fill(content, nodes.length === 0 ? element("p.note", {}, "No events.") : table("Events, by key", columns, nodes));
  };
  return { node: section("Events", content), refresh };
}

/** The streams. */
export function streamsPanel(workflowId: string, mayFollow: boolean): Panel {
  const rows = new Map<string, { node: HTMLTableRowElement; show: (stream: StreamInfo) => void }>();
  const content = element("div");
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
  const refresh = async () => {
    const streams = await read<StreamInfo[]>(workflowPath(workflowId, "streams"));
    const isNew = streams.some(({ key }) => !rows.has(key)) || content.childElementCount === 0;
    for (const stream of streams) {
      const row = rows.get(stream.key) ?? toRow(stream.key);
      rows.set(stream.key, row);
      row.show(stream);
    }
    if (!isNew) return;
    const columns = ["Key", "Values", "State", "Written", "Live"];
    const nodes = streams.map(({ key }) => rows.get(key)!.node);
    fill(content, nodes.length === 0 ? element("p.note", {}, "No streams.") : table("Streams, by key", columns, nodes));
  };
  return { node: section("Streams", content), refresh };
}

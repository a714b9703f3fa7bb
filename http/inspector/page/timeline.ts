/// <reference lib="dom" />
/**
 * The operations of a workflow, as bars on a scale of time.
 *
 * @module
 */

import type { HistoryEntry } from "../../../core/inspection.ts";
import { arrange, button, cell, type Child, element, fill } from "./dom.ts";
import { durationText, errorBlock, instant, valueBlock } from "./text.ts";
import { workflowLink } from "./workflow.ts";

const COLUMNS = ["#", "Operation", "Outcome", "Began", "Took", "Time"];

/** Marks on the scale, at most. */
const TICKS = 5;

/** The part of time that the bars show, in epoch milliseconds. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** A row, and what it was made of. */
interface Row {
  readonly entry: HistoryEntry;
  readonly text: string;
  readonly node: HTMLTableRowElement;
  readonly began: HTMLTimeElement;
  readonly bar: HTMLElement;
  readonly deadline: HTMLElement | undefined;
}

/** What the timeline needs from the page. */
export interface TimelineOptions {
  /** Asks to resume from a position. Absent if that is not allowed. */
  readonly onResume: ((position: number) => void) | undefined;
}

/** The timeline. */
export class Timeline {
  readonly node: HTMLElement;
  readonly #rows = new Map<number, Row>();
  readonly #body = element("tbody");
  readonly #scale = element("div.scale", { "aria-hidden": "true" });
  readonly #shown = element("span", { role: "status" });
  readonly #options: TimelineOptions;
  #all: Span = { from: 0, to: 1 };
  #zoomed: Span | undefined;

  constructor(options: TimelineOptions) {
    this.#options = options;
    const headings = COLUMNS.map((column) =>
      column === "Time"
        ? element("th.time", { scope: "col" }, "Time", this.#scale)
        : element("th", { scope: "col" }, column)
    );
    this.node = element(
      "div",
      {},
      element(
        "div.tools",
        { role: "group", "aria-label": "Scale" },
        button("Zoom in", () => this.#zoom(0.5)),
        button("Zoom out", () => this.#zoom(2)),
        button("Earlier", () => this.#move(-0.5)),
        button("Later", () => this.#move(0.5)),
        button("Show all", () => this.#show(undefined)),
        this.#shown,
      ),
      element(
        "div.scroll",
        { tabindex: 0, role: "region", "aria-label": "Operations" },
        element(
          "table.timeline",
          {},
          element("caption", {}, "Operations by position, with their times"),
          element("thead", {}, element("tr", {}, headings)),
          this.#body,
        ),
      ),
    );
  }

  /** The first position whose entry may still change. A step that runs has no entry yet. */
  get firstOpen(): number {
    let next = 0;
    while (this.#rows.has(next) && this.#rows.get(next)!.entry.state !== "waiting") next++;
    return next;
  }

  /** Whether operations offer to resume from them. */
  set isResumable(isResumable: boolean) {
    this.node.classList.toggle("resumable", isResumable);
  }

  /**
   * Shows entries.
   *
   * @param entries All from a position on, sorted.
   * @param from The position. What was shown from there on is replaced.
   * @param span The time from the workflow's creation to its end, or to now.
   */
  update(entries: readonly HistoryEntry[], from: number, span: Span): void {
    const kept = new Set(entries.map(({ position }) => position));
    for (const [position, { node }] of this.#rows) {
      if (position < from || kept.has(position)) continue;
      node.remove();
      this.#rows.delete(position);
    }
    for (const entry of entries) {
      const old = this.#rows.get(entry.position);
      const text = JSON.stringify(entry);
      if (old?.text === text) continue;
      const row = this.#toRow(entry, text);
      if (old) replaceRow(old.node, row.node);
      this.#rows.set(entry.position, row);
    }
    const sorted = [...this.#rows.values()].sort((a, b) => a.entry.position - b.entry.position);
    arrange(this.#body, sorted.map(({ node }) => node));
    this.#all = span;
    this.#draw();
  }

  /** Brings an operation into view. */
  reveal(position: number): void {
    const row = this.#rows.get(position);
    row?.node.scrollIntoView({ block: "center" });
    row?.node.focus();
  }

  #toRow(entry: HistoryEntry, text: string): Row {
    const { position, kind, state, startedAt, endedAt, attempts, deadline } = entry;
    const bar = element("div", { class: `bar ${kind} ${state}` });
    const mark = deadline === undefined ? undefined : element("div.deadline", { title: "Deadline" });
    const took = endedAt === undefined ? "" : durationText(endedAt - startedAt);
    const began = element("time", { datetime: new Date(startedAt).toISOString() });
    const node = element(
      "tr",
      { tabindex: -1 },
      cell("#", position),
      element("th", { scope: "row" }, kind, " ", toNames(entry), details(entry, this.#options)),
      cell("Outcome", toOutcome(entry), attempts !== undefined && attempts > 1 && ` after ${attempts} tries`),
      cell("Began", began),
      cell("Took", took, deadline !== undefined && element("div", {}, "until ", instant(deadline))),
      element("td.time", {}, element("div.track", {}, bar, mark)),
    );
    return { entry, text, node, began, bar, deadline: mark };
  }

  #zoom(factor: number): void {
    const { from, to } = this.#span;
    const middle = (from + to) / 2;
    const half = Math.max(0.5, (to - from) * factor / 2);
    const all = this.#all.to - this.#all.from;
    this.#show(half * 2 >= all ? undefined : { from: middle - half, to: middle + half });
  }

  #move(part: number): void {
    const { from, to } = this.#span;
    const room = part < 0 ? this.#all.from - from : this.#all.to - to;
    const by = part < 0 ? Math.max(room, (to - from) * part) : Math.min(room, (to - from) * part);
    this.#show({ from: from + by, to: to + by });
  }

  #show(span: Span | undefined): void {
    this.#zoomed = span;
    this.#draw();
  }

  get #span(): Span {
    return this.#zoomed ?? this.#all;
  }

  /** Places all bars. A bar has at least some pixels, so that a step of a millisecond is seen. */
  #draw(): void {
    const { from, to } = this.#span;
    const length = Math.max(1, to - from);
    const part = (ms: number) => Math.min(100, Math.max(0, (ms - from) / length * 100));
    for (const { entry, began, bar, deadline } of this.#rows.values()) {
      began.textContent = `+${durationText(entry.startedAt - this.#all.from)}`;
      began.title = `${new Date(entry.startedAt).toISOString()}`;
      const end = entry.endedAt ?? this.#all.to;
      bar.hidden = end < from || entry.startedAt > to;
      bar.style.left = `${part(entry.startedAt)}%`;
      bar.style.width = `${part(end) - part(entry.startedAt)}%`;
      if (!deadline) continue;
      deadline.hidden = entry.deadline! < from || entry.deadline! > to;
      deadline.style.left = `${part(entry.deadline!)}%`;
    }
    fill(
      this.#scale,
      Array.from({ length: TICKS }, (_, index) => {
        const tick = element("span", {}, `+${durationText(from - this.#all.from + length * index / TICKS)}`);
        tick.style.left = `${index / TICKS * 100}%`;
        return tick;
      }),
    );
    this.#shown.textContent = `${durationText(length)} of ${durationText(this.#all.to - this.#all.from)}`;
  }
}

/** Replaces a row. Its details stay open, and it keeps the focus. */
function replaceRow(old: HTMLElement, row: HTMLElement): void {
  const hadFocus = old.contains(document.activeElement);
  const details = row.querySelector("details");
  if (details) details.open = old.querySelector("details")?.open ?? false;
  old.replaceWith(row);
  if (hadFocus) (details?.querySelector("summary") ?? row).focus({ preventScroll: true });
}

/** The name of an operation. Other workflows are links. */
function toNames({ kind, name, value, state, destinationId }: HistoryEntry): Child[] {
  const names = name === undefined ? "" : [name].flat().map((it) => JSON.stringify(it)).join(", ");
  const child = kind === "start" && state === "done" && typeof value === "string" ? value : undefined;
  const other = destinationId ?? child;
  return other === undefined ? [names] : [names, " → ", workflowLink(other)];
}

function toOutcome({ state, error }: HistoryEntry): Child {
  if (state === "failed") return element("span.failed", {}, `failed: ${error?.name ?? "error"}`);
  return state === "timeout" ? "timed out" : state;
}

/** What an operation returned or threw, folded. It is made when it is opened. */
function details(entry: HistoryEntry, { onResume }: TimelineOptions): Child {
  const { value, error, unreadable, position } = entry;
  const hasValue = unreadable || "value" in entry;
  if (!hasValue && !error && !onResume) return null;
  const node = element("details", {}, element("summary", {}, "Details"));
  node.addEventListener("toggle", () => {
    if (!node.open || node.childElementCount > 1) return;
    if (error) node.append(errorBlock(error));
    else if (hasValue) node.append(valueBlock(value, unreadable));
    if (onResume) node.append(button(`Resume from ${position}…`, () => onResume(position), { class: "resume" }));
  });
  return node;
}

/// <reference lib="dom" />
/**
 * The page of one workflow. It is read again while the workflow goes on.
 *
 * @module
 */

import { delay, systemClock } from "../../../core/time/clock.ts";
import type { WorkflowInfo } from "../../../core/client.ts";
import type { HistoryEntry, HistoryPage } from "../../../core/inspection.ts";
import { type Allowed, readAllowed } from "./allowed.ts";
import { eventsPanel, messagesPanel, type Panel, streamsPanel } from "./channels.ts";
import { askCancel, askDelete, askResume, askSend, isAsking } from "./dialogs.ts";
import { button, type Child, element, fill, section } from "./dom.ts";
import { read, type RequestError, serverNow, workflowPath } from "./store.ts";
import { errorBlock, instant, valueBlock } from "./text.ts";
import { Timeline } from "./timeline.ts";
import { isActive, statusBadge } from "./workflow.ts";

/** How often an active workflow is read again, in milliseconds. */
const REFRESH_MS = 3_000;
/** The largest page of the history. */
const PAGE = 1_000;

/** How a page is shown. */
export interface Showing {
  /** Is aborted when the page is left. */
  readonly signal: AbortSignal;
  /** Shows the page from the beginning, or asks for a token if the server no longer accepts it. */
  readonly showAgain: () => void;
}

/** Shows a workflow until the signal is aborted. */
export async function showWorkflow(main: HTMLElement, workflowId: string, showing: Showing): Promise<void> {
  const { signal } = showing;
  const allowed = await readAllowed(workflowId);
  const view = new WorkflowView(workflowId, allowed, showing);
  await view.refresh();
  if (signal.aborted) return;
  fill(main, element("h1", {}, "Workflow ", element("span.id", {}, workflowId)), view.node);
  void keepUpToDate(view, signal);
}

async function keepUpToDate(view: WorkflowView, signal: AbortSignal): Promise<void> {
  for (await delay(systemClock, REFRESH_MS, signal); !signal.aborted; await delay(systemClock, REFRESH_MS, signal)) {
    if (view.mayChange && !document.hidden && !isAsking()) await view.refreshOrSay();
  }
}

class WorkflowView {
  readonly node = element("div");
  readonly #workflowId: string;
  readonly #allowed: Allowed;
  readonly #showing: Showing;
  readonly #summary = element("div", { "aria-live": "polite" });
  /** Why the page is not up to date. */
  readonly #trouble = element("p.failed", { role: "status" });
  readonly #buttons = element("div.tools", { role: "group", "aria-label": "Actions" });
  readonly #values = element("div");
  readonly #timeline: Timeline;
  readonly #panels: Panel[] = [];
  #info: WorkflowInfo | undefined;
  #shown = "";
  #entries: HistoryEntry[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(workflowId: string, allowed: Allowed, showing: Showing) {
    this.#workflowId = workflowId;
    this.#allowed = allowed;
    this.#showing = showing;
    this.#timeline = new Timeline({
      onResume: allowed.has("resume") ? (position) => void this.#act(askResume(workflowId, position)) : undefined,
    });
    const history = section("Timeline", this.#timeline.node);
    if (allowed.has("inspect")) {
      this.#panels.push(
        messagesPanel(workflowId),
        eventsPanel(workflowId, allowed.has("event")),
        streamsPanel(workflowId, allowed.has("stream")),
      );
    }
    fill(
      this.node,
      this.#trouble,
      this.#summary,
      this.#buttons,
      this.#values,
      allowed.has("inspect") ? [history, ...this.#panels.map(({ node }) => node)] : element(
        "p.note",
        {},
        "The token does not allow to inspect this workflow. That takes the action inspect, without keys.",
      ),
    );
  }

  /** Whether to read again. What was not read to its end may have changed, too. */
  get mayChange(): boolean {
    return this.isActive || this.#trouble.textContent !== "";
  }

  /** Without permission for the status, a workflow counts as active. */
  get isActive(): boolean {
    return this.#info === undefined || isActive(this.#info.status);
  }

  /** Reads everything again. A refresh that is under way is shared. */
  refresh(): Promise<void> {
    return this.#refreshing ??= this.#refresh().finally(() => this.#refreshing = undefined);
  }

  /** Reads everything again. If that fails, the page says so, and shows what it knows. */
  async refreshOrSay(): Promise<void> {
    try {
      await this.refresh();
      this.#trouble.textContent = "";
    } catch (error) {
      if (this.#showing.signal.aborted) return;
      const { status, message } = error as RequestError;
      // The first request of the page will ask for another token.
      if (status === 401) return this.#showing.showAgain();
      const text = status === 404 ? "This workflow does not exist any more." : `Not up to date: ${message}.`;
      if (this.#trouble.textContent !== text) this.#trouble.textContent = text;
    }
  }

  /**
   * The status is read first, because nothing is read any more once it says that the workflow has
   * ended.
   */
  async #refresh(): Promise<void> {
    const old = this.#info;
    const info = this.#allowed.has("info") ? await read<WorkflowInfo>(workflowPath(this.#workflowId)) : undefined;
    // It was deleted, and another one has its ID.
    if (old && info && old.createdAt !== info.createdAt) return this.#showing.showAgain();
    this.#info = info;
    if (info) this.#showInfo(info);
    this.#showButtons(info);
    await Promise.all([
      ...this.#panels.map((panel) => panel.refresh()),
      this.#allowed.has("inspect") && this.#readHistory(info?.generation !== old?.generation),
    ]);
  }

  /** Reads the history from the first entry that may have changed. */
  async #readHistory(isAnew: boolean): Promise<void> {
    const firstOpen = isAnew ? 0 : this.#timeline.firstOpen;
    const last = this.#entries.findLast(({ position }) => position < firstOpen);
    let from = last?.position ?? 0;
    let entries = await this.#readEntries(from);
    // A resume from an earlier position has replaced what does not change otherwise.
    if (last && JSON.stringify(entries[0]) !== JSON.stringify(last)) {
      from = 0;
      entries = await this.#readEntries(from);
    }
    this.#entries = [...this.#entries.filter(({ position }) => position < from), ...entries];
    this.#timeline.update(entries, from, this.#span());
  }

  /** Reads all entries from a position on. */
  async #readEntries(from: number): Promise<HistoryEntry[]> {
    const entries: HistoryEntry[] = [];
    for (let after = from === 0 ? undefined : from - 1;;) {
      const path = workflowPath(this.#workflowId, "history");
      const page: HistoryPage = await read<HistoryPage>(path, { after, limit: PAGE });
      entries.push(...page.entries);
      if (page.next === undefined) return entries;
      after = page.next;
    }
  }

  /** The time that the workflow has taken so far. */
  #span(): { from: number; to: number } {
    const times = this.#entries.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt ?? startedAt]);
    const info = this.#info;
    const known = info ? [info.generation === 0 ? info.createdAt : Infinity, info.endedAt ?? info.updatedAt] : [];
    const all = [...times, ...known].filter(Number.isFinite);
    const from = all.reduce((least, time) => Math.min(least, time), Infinity);
    const last = all.reduce((most, time) => Math.max(most, time), 0);
    const to = this.isActive ? Math.max(last, serverNow()) : last;
    return from < to ? { from, to } : { from: to - 1, to };
  }

  /** What has not changed stays, with its focus, and a screen reader does not read it again. */
  #showInfo(info: WorkflowInfo): void {
    const shown = JSON.stringify(info);
    if (this.#shown === shown) return;
    this.#shown = shown;
    const facts: [string, Child][] = [
      ["Name", info.name],
      ["Created", instant(info.createdAt)],
      ["Changed", instant(info.updatedAt)],
      ["Ended", info.endedAt === undefined ? null : instant(info.endedAt)],
      ["Waits for", info.waiting?.operations.join(", ") || null],
      ["Until", info.waiting?.until === undefined ? null : instant(info.waiting.until)],
      ["Unread messages", info.unread ?? null],
      ["Failed at", info.failed ? this.#failedAt(info.failed) : null],
      ["Continued as new", info.generation > 0 ? `${info.generation} times` : null],
      ["Taken over", info.recoveryAttempts > 0 ? `${info.recoveryAttempts} times without progress` : null],
    ];
    fill(
      this.#summary,
      element("p", {}, statusBadge(info)),
      element(
        "dl",
        {},
        facts.filter(([, value]) => value !== null).map(([name, value]) =>
          element("div", {}, element("dt", {}, name), element("dd", {}, value))
        ),
      ),
      info.problem && section("Problem", errorBlock(info.problem)),
      info.error && section("Error", errorBlock(info.error)),
    );
    const hidden = (field: "input" | "output") => info.unreadable?.includes(field) ?? false;
    const text = JSON.stringify([info.input, info.output, info.unreadable]);
    if (this.#values.dataset.shown === text) return;
    this.#values.dataset.shown = text;
    fill(
      this.#values,
      section("Input", valueBlock(info.input, hidden("input"))),
      info.status === "SUCCESS" && section("Output", valueBlock(info.output, hidden("output"))),
    );
  }

  #failedAt({ position, operation }: NonNullable<WorkflowInfo["failed"]>): Child {
    const text = `${position}: ${operation}`;
    return this.#allowed.has("inspect") ? button(text, () => this.#timeline.reveal(position)) : text;
  }

  /** Only what the token allows and the status permits is offered. */
  #showButtons(info: WorkflowInfo | undefined): void {
    const id = this.#workflowId;
    const active = this.isActive;
    const ended = !info || !active;
    this.#timeline.isResumable = ended && info?.status !== "SUCCESS";
    const offers: [boolean, string, () => Promise<boolean>][] = [
      [this.#allowed.has("send") && active, "Send a message…", () => askSend(id)],
      [this.#allowed.has("cancel") && active, "Cancel…", () => askCancel(id)],
      [this.#allowed.has("resume") && (info?.status !== "SUCCESS"), "Resume…", () => askResume(id)],
      [this.#allowed.has("delete") && ended, "Delete…", () => this.#delete()],
    ];
    const offered = offers.filter(([isOffered]) => isOffered);
    const names = offered.map(([, name]) => name).join();
    if (this.#buttons.dataset.shown === names) return;
    this.#buttons.dataset.shown = names;
    this.#buttons.hidden = offered.length === 0;
    fill(this.#buttons, offered.map(([, name, run]) => button(name, () => void this.#act(run()))));
  }

  async #delete(): Promise<boolean> {
    if (await askDelete(this.#workflowId) && !this.#showing.signal.aborted) location.hash = "#/";
    return false;
  }

  /** After a change everything is read again. A refresh that began earlier may not have seen it. */
  async #act(asked: Promise<boolean>): Promise<void> {
    if (!await asked || this.#showing.signal.aborted) return;
    await this.#refreshing?.catch(() => {});
    await this.refreshOrSay();
  }
}

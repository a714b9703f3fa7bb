/// <reference lib="dom" />
/**
 * The page of one workflow. It is read again while the workflow goes on.
 *
 * @module
 */

import type { WorkflowInfo } from "../../../core/client.ts";
import type { HistoryEntry, HistoryPage } from "../../../core/inspection.ts";
import { type Allowed, readAllowed } from "./allowed.ts";
import { eventsPanel, messagesPanel, type Panel, streamsPanel } from "./channels.ts";
import { askCancel, askDelete, askResume, askSend, isAsking } from "./dialogs.ts";
import { button, type Child, element, fill, section } from "./dom.ts";
import { read, RequestError, workflowPath } from "./store.ts";
import { errorBlock, instant, valueBlock } from "./text.ts";
import { Timeline } from "./timeline.ts";
import { isActive, statusBadge } from "./workflow.ts";

/** How often an active workflow is read again, in milliseconds. */
const REFRESH_MS = 3_000;
/** The largest page of the history. */
const PAGE = 1_000;

/** Shows a workflow until the signal is aborted. */
export async function showWorkflow(main: HTMLElement, workflowId: string, signal: AbortSignal): Promise<void> {
  const allowed = await readAllowed(workflowId);
  const view = new WorkflowView(workflowId, allowed);
  await view.refresh();
  if (signal.aborted) return;
  fill(main, element("h1", {}, "Workflow ", element("span.id", {}, workflowId)), view.node);
  const timer = setInterval(() => {
    if (view.isActive && !document.hidden && !isAsking()) void view.refresh().catch(() => {});
  }, REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

class WorkflowView {
  readonly node = element("div");
  readonly #workflowId: string;
  readonly #allowed: Allowed;
  readonly #summary = element("div", { "aria-live": "polite" });
  readonly #buttons = element("div.tools", { role: "group", "aria-label": "Actions" });
  readonly #values = element("div");
  readonly #timeline: Timeline;
  readonly #panels: Panel[] = [];
  #info: WorkflowInfo | undefined;
  #entries: HistoryEntry[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(workflowId: string, allowed: Allowed) {
    this.#workflowId = workflowId;
    this.#allowed = allowed;
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
      this.#summary,
      this.#buttons,
      this.#values,
      allowed.has("inspect")
        ? [history, ...this.#panels.map(({ node }) => node)]
        : element("p.note", {}, "The token does not allow to inspect this workflow."),
    );
  }

  /** Without permission for the status, a workflow counts as active. */
  get isActive(): boolean {
    return this.#info === undefined || isActive(this.#info.status);
  }

  /** Reads everything again. A refresh that is under way is shared. */
  refresh(): Promise<void> {
    return this.#refreshing ??= this.#refresh().finally(() => this.#refreshing = undefined);
  }

  async #refresh(): Promise<void> {
    const [info] = await Promise.all([
      this.#allowed.has("info") ? read<WorkflowInfo>(workflowPath(this.#workflowId)) : undefined,
      ...this.#panels.map((panel) => panel.refresh()),
    ]);
    const isAnew = info?.generation !== this.#info?.generation;
    this.#info = info;
    if (info) this.#showInfo(info);
    this.#showButtons(info);
    if (this.#allowed.has("inspect")) await this.#readHistory(isAnew);
  }

  async #readHistory(isAnew: boolean): Promise<void> {
    const from = isAnew ? 0 : this.#timeline.firstOpen;
    const entries: HistoryEntry[] = [];
    for (let after: number | undefined = from === 0 ? undefined : from - 1;;) {
      const page: HistoryPage = await read<HistoryPage>(workflowPath(this.#workflowId, "history"), {
        after,
        limit: PAGE,
      });
      entries.push(...page.entries);
      if (page.next === undefined) break;
      after = page.next;
    }
    this.#entries = [...this.#entries.filter(({ position }) => position < from), ...entries];
    this.#timeline.update(entries, from, this.#span());
  }

  /** The time that the workflow has taken so far. */
  #span(): { from: number; to: number } {
    const times = this.#entries.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt ?? startedAt]);
    const info = this.#info;
    const known = info ? [info.generation === 0 ? info.createdAt : Infinity, info.endedAt ?? info.updatedAt] : [];
    const all = [...times, ...known].filter(Number.isFinite);
    const from = all.reduce((least, time) => Math.min(least, time), Infinity);
    const last = all.reduce((most, time) => Math.max(most, time), 0);
    const to = this.isActive ? Math.max(last, Date.now()) : last;
    return from < to ? { from, to } : { from: to - 1, to };
  }

  #showInfo(info: WorkflowInfo): void {
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
    const offers: [boolean, string, () => Promise<boolean>][] = [
      [this.#allowed.has("send") && active, "Send a message…", () => askSend(id)],
      [this.#allowed.has("cancel") && active, "Cancel…", () => askCancel(id)],
      [this.#allowed.has("resume") && (info?.status !== "SUCCESS"), "Resume…", () => askResume(id)],
      [this.#allowed.has("delete") && ended, "Delete…", () => askDelete(id)],
    ];
    const offered = offers.filter(([isOffered]) => isOffered);
    const names = offered.map(([, name]) => name).join();
    if (this.#buttons.dataset.shown === names) return;
    this.#buttons.dataset.shown = names;
    this.#buttons.hidden = offered.length === 0;
    fill(this.#buttons, offered.map(([, name, run]) => button(name, () => void this.#act(run()))));
  }

  /** After a change everything is read again, because a resume may have dropped entries. */
  async #act(asked: Promise<boolean>): Promise<void> {
    if (!await asked) return;
    this.#entries = [];
    this.#info = undefined;
    await this.refresh().catch((error) => {
      if (error instanceof RequestError && error.status === 404) location.hash = "#/";
      else throw error;
    });
  }
}

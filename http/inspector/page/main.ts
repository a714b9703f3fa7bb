/// <reference lib="dom" />
/**
 * The inspector: asks for a token, and shows what the address says.
 *
 * @module
 */

import { stopFollowing } from "./channels.ts";
import { stopAsking } from "./dialogs.ts";
import { button, element, fill } from "./dom.ts";
import { showList } from "./list_view.ts";
import { RequestError, token } from "./store.ts";
import { showWorkflow } from "./workflow_view.ts";

const main = document.querySelector("main")!;
const forget = document.querySelector("header")!.appendChild(button("Forget token", () => {
  token.set("");
  void show();
}));

let shown = new AbortController();

/** Shows what the address says. */
async function show(): Promise<void> {
  shown.abort();
  stopFollowing();
  stopAsking();
  const { signal } = shown = new AbortController();
  forget.hidden = token.get() === "";
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?");
  const workflowId = /^\/workflows\/(.+)$/.exec(path)?.[1];
  document.title = workflowId === undefined ? "Workflows" : `${decode(workflowId)} · Workflow`;
  fill(main, element("p", { role: "status" }, "Loading…"));
  try {
    if (workflowId === undefined) await showList(main, new URLSearchParams(query), signal);
    else await showWorkflow(main, decode(workflowId), { signal, showAgain: () => void show() });
    if (!signal.aborted) focusHeading();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof RequestError && error.status === 401) askToken();
    else showError(error as Error);
  }
}

/** Without this, a link that is gone would leave the focus at the top, and say nothing of the new page. */
function focusHeading(): void {
  if (document.activeElement !== document.body) return;
  const heading = main.querySelector("h1");
  if (heading) heading.tabIndex = -1;
  heading?.focus();
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function askToken(): void {
  const input = element("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false" });
  const onSubmit = (event: Event) => {
    event.preventDefault();
    token.set(input.value.trim());
    void show();
  };
  fill(
    main,
    element("h1", {}, "Token"),
    token.get() !== "" && element("p.failed", { role: "alert" }, "The server does not accept this token."),
    element(
      "form.filters",
      { onsubmit: onSubmit },
      element("label", {}, "A token that the server accepts", input),
      element("button.primary", {}, "Continue"),
    ),
    element("p.note", {}, "It stays in this tab. The browser forgets it when the tab is closed."),
  );
  input.focus();
}

function showError(error: Error): void {
  fill(
    main,
    element("h1", {}, "This cannot be shown"),
    element("p.failed", { role: "alert" }, error.message),
    element("div.tools", {}, button("Try again", () => void show()), element("a", { href: "#/" }, "All workflows")),
  );
}

addEventListener("hashchange", () => void show());
void show();

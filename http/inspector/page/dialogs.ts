/// <reference lib="dom" />
/**
 * Dialogs that ask before something is changed.
 *
 * @module
 */

import { button, type Child, element } from "./dom.ts";
import { workflowPath, write } from "./store.ts";

/** A question. */
interface Question {
  readonly title: string;
  /** What happens, and the fields of the answer. */
  readonly content: Child[];
  /** The text of the button that does it. */
  readonly confirm: string;
  /** Does it. An error is shown, and the dialog stays open. */
  readonly run: (fields: FormData) => Promise<void>;
}

/** Whether a dialog is open. */
export function isAsking(): boolean {
  return document.querySelector("dialog[open]") !== null;
}

/** Closes the dialog that is open, for example when the page of its workflow is left. */
export function stopAsking(): void {
  document.querySelector<HTMLDialogElement>("dialog[open]")?.close();
}

/** Asks, and settles when it was done or refused. */
async function ask({ title, content, confirm, run }: Question): Promise<boolean> {
  const problem = element("p.failed", { role: "alert" });
  const submit = element("button.primary", {}, confirm);
  const refuse = button("Do nothing", () => dialog.close());
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "dialog-title" }, title),
    ...content,
    problem,
    element("div.tools", {}, submit, refuse),
  );
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, form);
  const done = new Promise<boolean>((resolve) => {
    let running: Promise<boolean> | undefined;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (submit.disabled) return;
      problem.textContent = "";
      // A request that is on its way can be neither repeated nor taken back.
      submit.disabled = refuse.disabled = true;
      running = run(new FormData(form)).then(() => true, (error: Error) => {
        problem.textContent = error.message;
        return false;
      });
      const wasDone = await running;
      submit.disabled = refuse.disabled = false;
      if (wasDone) dialog.close();
    });
    // It may be closed with a key while the request is on its way.
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(running ?? false);
    });
  });
  document.body.append(dialog);
  dialog.showModal();
  return await done;
}

/**
 * Asks for a message, and sends it. The button may be pressed again after an answer was lost, so each
 * dialog has a key of its own.
 */
export async function askSend(workflowId: string): Promise<boolean> {
  const made = `inspector:${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  return await ask({
    title: `Send a message to ${workflowId}`,
    content: [
      element(
        "label",
        {},
        "Topic, empty for none",
        element("input", { name: "topic", maxlength: 255, autocomplete: "off" }),
      ),
      element("label", {}, "Message, as JSON", element("textarea", { name: "message", rows: 6, required: true })),
      element(
        "label",
        {},
        "Idempotency key, empty for a new one",
        element("input", { name: "idempotencyKey", maxlength: 255, autocomplete: "off" }),
      ),
    ],
    confirm: "Send message",
    run: async (fields) => {
      const idempotencyKey = fields.get("idempotencyKey") || made;
      await write("POST", workflowPath(workflowId, "messages"), {
        topic: fields.get("topic"),
        message: parse(String(fields.get("message"))),
        idempotencyKey,
      });
    },
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The message is not JSON: ${(error as Error).message}`);
  }
}

/** Asks whether to cancel, and cancels. */
export async function askCancel(workflowId: string): Promise<boolean> {
  return await ask({
    title: `Cancel ${workflowId}?`,
    content: [
      element("p", {}, "It stops at its next operation. What it has published stays."),
      element("label.check", {}, element("input", { type: "checkbox", name: "children" }), "Cancel its children too"),
    ],
    confirm: "Cancel workflow",
    run: (fields) => write("POST", workflowPath(workflowId, "cancel"), { children: fields.has("children") }),
  });
}

/** Asks whether to resume, and from where, and resumes. */
export async function askResume(workflowId: string, from?: number): Promise<boolean> {
  return await ask({
    title: `Resume ${workflowId}?`,
    content: [
      element(
        "p",
        {},
        "It runs again from its journal. From a position on, operations are forgotten and happen again. " +
          "What they sent or published stays.",
      ),
      element(
        "label",
        {},
        "From position, empty for the operation that failed",
        element("input", {
          name: "from",
          type: "number",
          min: 0,
          step: 1,
          ".value": from === undefined ? "" : `${from}`,
        }),
      ),
    ],
    confirm: "Resume workflow",
    run: (fields) => {
      const text = fields.get("from");
      return write("POST", workflowPath(workflowId, "resume"), text === "" ? {} : { from: Number(text) });
    },
  });
}

/** Asks whether to delete, and deletes. */
export async function askDelete(workflowId: string): Promise<boolean> {
  return await ask({
    title: `Delete ${workflowId}?`,
    content: [element("p", {}, "Its journal, messages, events and streams are removed. This cannot be undone.")],
    confirm: "Delete workflow",
    run: () => write("DELETE", workflowPath(workflowId)),
  });
}

/**
 * What changes a workflow: `parley start`, `send`, `cancel`, `resume` and `delete`.
 *
 * @module
 */

import type { Command, CommandCall } from "../command.ts";
import { EXIT_CODES } from "../exit_codes.ts";
import { parseValue } from "../input.ts";
import { quoted, shownName } from "../text.ts";

/** Said after a change at a store, where no code of a workflow runs. */
const LATER = "a sweep, or a process with work(), continues it";

export const start: Command = {
  name: "start",
  arguments: "NAME [INPUT]",
  help: "Start a workflow with an input in JSON; at a store, leave it to a sweep",
  options: ["id", "enqueue", "delay", "at"],
  async run(call) {
    const { options, io } = call;
    options.atMostOne("delay", "at");
    const [name = "", text] = [call.argument(0), call.argument(1)];
    const [id, delay] = [options.text("id"), options.duration("delay")];
    const at = options.instant("at", { isPast: false });
    const input = text === undefined ? undefined : await parseValue(text, "input", io);
    const { workflowId, created, isLater } = await call.during("Starting", async ({ client, sweep }) => {
      const isLater = sweep === undefined || options.flag("enqueue");
      const { workflowId, created } = await client.start(name, input, {
        ...(id !== undefined && { workflowId: id }),
        ...(isLater && { enqueue: true }),
        ...(delay !== undefined && { delay }),
        ...(at !== undefined && { at }),
      });
      return { workflowId, created, isLater };
    });
    await call.print(
      { workflowId, created },
      () =>
        created
          ? `Started ${shownName(workflowId)}${isLater ? `: ${LATER}` : ""}\n`
          : `${shownName(workflowId)} exists already; nothing was started\n`,
    );
  },
};

export const send: Command = {
  name: "send",
  arguments: "ID MESSAGE",
  help: "Send a message in JSON to a workflow",
  options: ["topic", "idempotency-key"],
  async run(call) {
    const { workflowId, options, io } = call;
    const [topic, idempotencyKey] = [options.text("topic"), options.text("idempotency-key")];
    const message = await parseValue(call.argument(1) ?? "", "message", io);
    const receipt = await call.during("Sending", ({ client }) =>
      client.send(workflowId, message, {
        ...(topic !== undefined && { topic }),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      }));
    const kind = topic ? ` of topic ${quoted(topic)}` : "";
    await call.print(
      receipt,
      () =>
        receipt.duplicate
          ? `This key was used before; nothing was sent to ${shownName(workflowId)}\n`
          : `Sent a message${kind} to ${shownName(workflowId)}\n`,
    );
  },
};

export const cancel: Command = {
  name: "cancel",
  arguments: "ID",
  help: "Cancel a workflow",
  options: ["children", "yes"],
  async run(call) {
    const { workflowId, options } = call;
    const children = options.flag("children");
    const all = children ? " and all that it has started" : "";
    await call.confirm(`Cancel ${quoted(workflowId)}${all}?`, EXIT_CODES.declined);
    await call.during("Cancelling", ({ client }) => client.cancel(workflowId, { children }));
    await printDone(call, `Cancelled ${shownName(workflowId)}${all}`);
  },
};

export const resume: Command = {
  name: "resume",
  arguments: "ID",
  help: "Continue a workflow that failed, was cancelled, crashed too often or is parked",
  options: ["from"],
  async run(call) {
    const { workflowId, options } = call;
    const from = options.count("from", 0);
    const isLater = await call.during("Resuming", async ({ client, sweep }) => {
      await client.resume(workflowId, from === undefined ? {} : { from });
      return sweep === undefined;
    });
    const place = from === undefined ? "" : ` from position ${from}`;
    await printDone(call, `Resumed ${shownName(workflowId)}${place}${isLater ? `: ${LATER}` : ""}`);
  },
};

/** The command is called `delete`, which is no name of a variable. */
export const remove: Command = {
  name: "delete",
  arguments: "ID",
  help: "Delete a workflow that has ended, with all that is its own",
  options: ["yes"],
  async run(call) {
    const { workflowId } = call;
    await call.confirm(
      `Delete ${quoted(workflowId)}, with its history, messages, events and streams?`,
      EXIT_CODES.declined,
    );
    await call.during("Deleting", ({ client }) => client.delete(workflowId));
    await printDone(call, `Deleted ${shownName(workflowId)}`);
  },
};

async function printDone(call: CommandCall, text: string): Promise<void> {
  await call.print({ workflowId: call.workflowId }, () => `${text}\n`);
}

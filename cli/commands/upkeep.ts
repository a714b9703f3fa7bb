/**
 * What concerns a server or a store as a whole: `parley sweep`, `purge` and `open`.
 *
 * @module
 */

import { checkName } from "../../core/values/checks.ts";
import { toMountUrl } from "../../http/protocol.ts";
import type { Command } from "../command.ts";
import { CliError, EXIT_CODES } from "../exit_codes.ts";
import { readAddress } from "../target.ts";

/** The most workflows that a sweep takes or a purge removes: what a server takes. */
const MAX_LIMIT = 10_000;

export const sweep: Command = {
  name: "sweep",
  arguments: "",
  help: "Let the server run the workflows that are due, until each ends or waits",
  options: ["limit"],
  async run(call) {
    const limit = call.options.count("limit", 1, MAX_LIMIT);
    const result = await call.during("Sweeping", async ({ sweep }) => {
      if (sweep) return await sweep(limit);
      throw new CliError(
        "A sweep runs the code of workflows, and a store has none: sweep your server with --url. " +
          "To remove old workflows from a store, use parley purge",
      );
    });
    const { claimed, finished, suspended } = result;
    await call.print(result, () => `Took ${claimed}: ${finished} ended, ${suspended} wait again\n`);
  },
};

export const purge: Command = {
  name: "purge",
  arguments: "",
  help: "Remove workflows that ended some time ago from a store",
  options: ["older-than", "limit", "yes"],
  async run(call) {
    const { options } = call;
    const olderThan = options.duration("older-than");
    if (olderThan === undefined) throw new CliError("parley purge needs --older-than, such as --older-than 30d");
    const limit = options.count("limit", 1, MAX_LIMIT);
    const { purge } = await call.target();
    if (!purge) throw new CliError("A server has no route that purges: give the address of its store with --store");
    await call.confirm(
      `Remove the workflows that ended ${options.text("older-than")} ago or earlier?`,
      EXIT_CODES.declined,
    );
    const purged = await call.during("Purging", () => purge({ olderThan, ...(limit !== undefined && { limit }) }));
    await call.print({ purged }, () => `Removed ${purged} ${purged === 1 ? "workflow" : "workflows"}\n`);
  },
};

export const open: Command = {
  name: "open",
  arguments: "[ID]",
  help: "Open the server's inspector in the browser, and print its address",
  options: ["print"],
  async run(call) {
    const { options, io } = call;
    const address = readAddress(options, io);
    if (address.kind !== "server") {
      throw new CliError("A store has no page to open: give the address of a server with --url");
    }
    const workflowId = call.argument(0);
    if (workflowId !== undefined) checkName(workflowId, "workflow ID");
    const place = workflowId === undefined ? "" : `#/workflows/${encodeURIComponent(workflowId)}`;
    const url = `${toMountUrl(address.url, "Opening the inspector")}/inspector${place}`;
    await call.print({ url }, () => `${url}\n`);
    if (options.flag("print")) return;
    await io.openBrowser(url).catch(() => call.note("No browser could be opened here"));
  },
};

/**
 * `parley stream`: the values of a stream, or the streams of a workflow.
 *
 * @module
 */

import type { Command, CommandCall } from "../command.ts";
import { CliError } from "../exit_codes.ts";
import { escapeText, quoted, shownAge, shownValue, table, toItemJson, toJson } from "../text.ts";

export const stream: Command = {
  name: "stream",
  arguments: "ID [KEY]",
  help: "Print the values of a stream; without a key, list the streams of a workflow",
  options: ["follow", "from"],
  async run(call) {
    const key = call.argument(1);
    if (key === undefined) return await listStreams(call);
    const { options } = call;
    const from = options.count("from", 0) ?? 0;
    if (options.flag("follow")) return await printValues(call, key, from);
    if (!call.isJson) return await printValues(call, key, from);
    const { workflowId, io: { signal } } = call;
    const { values, closed, nextOffset } = await call.during(
      "Reading the stream",
      ({ client }) => client.readStream(workflowId, key, { from, wait: false, signal }).collect(),
    );
    await call.printList("values", values.map(readable), { closed, nextOffset }, () => "");
  },
};

/** Prints values as they come: with `--follow` until the end of the stream, else those that are there. */
async function printValues(call: CommandCall, key: string, from: number): Promise<void> {
  const { workflowId, options, isJson, io } = call;
  const { client } = await call.target();
  const reader = client.readStream(workflowId, key, { from, wait: options.flag("follow"), signal: io.signal });
  for await (const { offset, value } of reader.entries()) {
    await io.out(isJson ? `${toItemJson({ offset, value })}\n` : `${shownLine(value)}\n`);
  }
}

/** A text as it is, and any other value as JSON. */
function shownLine(value: unknown): string {
  return typeof value === "string" ? escapeText(value) : shownValue({ value: value ?? null });
}

/** The value, or `null` if it is too large for JSON, so that it breaks no list. */
function readable(value: unknown): unknown {
  try {
    toJson(value);
    return value;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

async function listStreams(call: CommandCall): Promise<void> {
  if (call.options.flag("follow")) throw new CliError("parley stream --follow needs the key of the stream");
  const { workflowId } = call;
  const streams = await call.during("Reading streams", ({ client }) => client.streams(workflowId));
  await call.printList("streams", streams, {}, () =>
    streams.length === 0 ? "No streams\n" : table(
      ["STREAM", "VALUES", "STATE", "WRITTEN"],
      streams.map((it) => [quoted(it.key), `${it.length}`, it.closed ? "closed" : "open", shownAge(it.updatedAt)]),
      call.io.width,
    ));
}

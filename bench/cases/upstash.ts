/**
 * Parley over Upstash, beside bare commands and `@upstash/realtime`.
 *
 * @module
 */

import type { BenchCase, Site, Size } from "../case.ts";
import type { Counts } from "../worker/requests.ts";
import { bareCase, over } from "./operations.ts";
import { PROCESSES } from "./processes.ts";

/** The cases that a single commit serves, so that a single script is the measure. */
const OPERATION_NAMES = ["empty", "step", "setEvent", "sendInside", "writeStream", "recv", "getEventInside", "send"];

const UPSTASH_CASE = { group: "upstash", kinds: ["upstash"] } as const;

const BARE = { group: "upstash", kinds: ["bareUpstash"] } as const;

/**
 * A case of several processes. Their requests and commands are those of the whole server, so the start and the end of
 * the workflow count too, as does what the system does by itself meanwhile.
 */
function counted(one: BenchCase): BenchCase {
  const run = async (site: Site, size: Size) => {
    const worker = await site.process(0);
    const count = async () => (await worker.call<Required<Counts>>("serverCounts")).value;
    // The process of the sender or reader starts now, so that its start is not counted.
    await site.process(1);
    const before = await count();
    const sample = await one.run(site, size);
    const after = await count();
    const each = (name: keyof Counts) => (after[name] - before[name]) / sample.operations;
    return { ...sample, requests: each("requests"), commands: each("commands") };
  };
  return { ...one, run };
}

/** The cases over HTTP to a local Upstash. */
export const UPSTASH: readonly BenchCase[] = [
  { ...bareCase("upstash-ping", "bare `PING`, Upstash", "ping"), ...BARE },
  { ...bareCase("upstash-evalsha", "bare script with one write, Upstash", "evalsha"), ...BARE },
  ...OPERATION_NAMES.map((name) => over("upstash", name, { ...UPSTASH_CASE, bare: "upstash-evalsha" })),
  over("upstash", "getEvent", { ...UPSTASH_CASE, bare: "upstash-ping" }),
  counted(over("upstash", "wakeOther", { ...UPSTASH_CASE, bare: "upstash-evalsha" }, PROCESSES)),
  counted(over("upstash", "liveStream", { ...UPSTASH_CASE, kinds: ["upstash", "realtime"] }, PROCESSES)),
];

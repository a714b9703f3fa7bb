/**
 * `deno task bench:dbos`: `dbosClient` beside DBOS's own client and bare statements, on one app and one
 * database. All are in one process of Node and take turns.
 *
 * `--rounds N` (31), `--waits N` (5) and `--distance MS,...` (0,20) are as those of `deno task bench`.
 * `DATABASE_URL` names a PostgreSQL to use; otherwise one is started.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { median } from "../case.ts";
import { DBOS_VERSION, Folder, lockedVersion, output } from "../setup/folder.ts";
import { startRelay } from "../setup/relay.ts";
import { addressIn, dropDatabases, startStores } from "../setup/stores.ts";
import { ROOT } from "../../scripts/deno.ts";
import type { DbosTimes, WorkerSettings } from "./worker.ts";

const MARK = "@bench ";

const { values: { rounds, waits, distance } } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "31" },
    waits: { type: "string", default: "5" },
    distance: { type: "string", default: "0,20" },
  },
});

await using stack = new AsyncDisposableStack();
const { stores, versions } = await startStores(new Set(["postgres"] as const), stack);
const folder = stack.use(await Folder.make());
await folder.install([`pg@${lockedVersion("pg")}`, `@dbos-inc/dbos-sdk@${DBOS_VERSION}`]);
const program = await folder.bundle("bench/dbos/worker.ts", ROOT, "dbos", ["pg", "@neondatabase/serverless"]);
const near = await addressIn(stores, "postgres");
stack.defer(() => dropDatabases(stores.postgres!, [near]));

const common = { near, rounds: Number(rounds), waits: Number(waits) };
const argument = (settings: WorkerSettings) => [program, JSON.stringify(settings)];
const app = new Deno.Command("node", {
  args: argument({ ...common, role: "app", url: near }),
  cwd: folder.path,
  stdin: "piped",
  stdout: "piped",
}).spawn();
stack.defer(async () => {
  app.kill("SIGKILL");
  await app.status;
});
let printed = "";
for await (const text of app.stdout.pipeThrough(new TextDecoderStream()).values({ preventCancel: true })) {
  printed += text;
  if (printed.includes("ready")) break;
}

console.log(`DBOS ${DBOS_VERSION}, PostgreSQL ${versions.PostgreSQL}, ${rounds} rounds; medians in ms`);
for (const distanceMs of distance.split(",").map(Number)) {
  await using relays = new AsyncDisposableStack();
  const url = distanceMs === 0 ? near : relays.use(await startRelay(near, distanceMs)).url;
  const text = await output("node", argument({ ...common, role: "clients", url }), folder.path);
  const line = text.split("\n").find((it) => it.startsWith(MARK))!;
  const times: DbosTimes = JSON.parse(line.slice(MARK.length));
  console.log(
    `\n| +${distanceMs} ms | DBOSClient | dbosClient | times as fast | bare statement |\n| --- | --- | --- | --- | --- |`,
  );
  for (const [name, { dbosClient, DBOSClient, bare }] of Object.entries(times)) {
    const [ours, theirs] = [median(dbosClient), median(DBOSClient)];
    const cells = [theirs.toFixed(2), ours.toFixed(2), (theirs / ours).toFixed(2)];
    console.log(`| ${name} | ${cells.join(" | ")} | ${bare.length > 0 ? median(bare).toFixed(2) : ""} |`);
  }
}

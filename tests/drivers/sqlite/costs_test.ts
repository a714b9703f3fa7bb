import assert from "node:assert/strict";
import { begin, type DrivenRun, take } from "../../../conformance/driven_run.ts";
import { end, receive, record, setEvent, SUSPEND, writeStream } from "../../../conformance/operations.ts";
import { createRequest, newMessage } from "../../../conformance/requests.ts";
import { type SqliteClient, sqliteDriver } from "../../../drivers/sqlite/mod.ts";
import { readRows, replaceTable, WRITES_COSTS } from "../../support/cost_table.ts";
import { withDirectory } from "../../project/files.ts";
import { loadClient } from "./support/client.ts";

const GUIDE = new URL("../../../docs/costs.md", import.meta.url);
const TABLE = "SQLite";

/** How many operations a mean is of. Pages are split at some of them. */
const COUNT = 100;

/** About 100 bytes. */
const VALUE = JSON.stringify("x".repeat(100));

/** A frame of the log has a page and a header. */
const FRAME_BYTES = 4_096 + 24;

/** How many other workflows there are. */
const OTHERS = 200;

/** An ID that is neither above nor below most others, as random ones are. */
const scattered = (number: number) => (Math.imul(number + 1, 2_654_435_761) >>> 0).toString(16).padStart(36, "0");

/** By how much the mean number of pages may differ, because versions of SQLite split pages differently. */
const MAX_PAGES_DIFFERENCE = 0.3;

/** A client that counts its statements. */
function counted(client: SqliteClient, count: () => void): SqliteClient {
  return {
    exec: (sql) => client.exec(sql),
    prepare(sql) {
      const statement = client.prepare(sql);
      return {
        all: (...params) => (count(), statement.all(...params)),
        run: (...params) => (count(), statement.run(...params)),
      };
    },
  };
}

Deno.test("the guide's table has the statements, rows and pages of each operation in SQLite", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/store.db`;
    const open = await loadClient("node:sqlite");
    const [database, other] = [open(path), open(path)];
    let statements = 0;
    const driver = sqliteDriver(counted(database, () => statements += 1));
    await driver.migrate();
    const changes = database.prepare("select total_changes() as n");
    const rows = () => (changes.all()[0] as { n: number }).n;
    const costs: [string, string, string, string][] = [];
    const measure = async (name: string, call: (index: number) => Promise<unknown>) => {
      other.prepare("pragma wal_checkpoint(truncate)").all();
      const before = { statements, rows: rows() };
      for (let index = 0; index < COUNT; index++) await call(index);
      const pages = (await Deno.stat(`${path}-wal`)).size / FRAME_BYTES;
      const means = [statements - before.statements, rows() - before.rows].map((it) => String(it / COUNT));
      costs.push([name, means[0]!, means[1]!, (pages / COUNT).toFixed(1)]);
    };
    const runs: DrivenRun[] = [];
    for (let number = 0; number < OTHERS; number++) {
      const other = await begin(driver, `other-${scattered(number)}`);
      for (let position = 0; position < 5; position++) {
        await other.held([record(position, VALUE)]);
        await driver.send([newMessage(other.workflowId, { value: VALUE })]);
      }
    }
    const run = await begin(driver, "other-8");
    await measure("step, `now`, `uuid`", (n) => run.held([record(n, VALUE)]));
    await measure(
      "ten steps issued together",
      (n) => run.held(Array.from({ length: 10 }, (_, index) => record(1_000 + 10 * n + index, VALUE))),
    );
    await measure("`setEvent`", (n) => run.held([setEvent(2_000 + n, "state", VALUE)]));
    await measure("`writeStream`", (n) => run.held([writeStream(2_100 + n, "log", VALUE)]));
    const workflowId = (n: number) => `workflow-${scattered(n)}`;
    const name = (n: number) => `message-${scattered(n)}`;
    await measure(
      "`send` from outside",
      (n) => driver.send([newMessage(run.workflowId, { value: VALUE, messageId: name(n), dedupeKey: name(n) })]),
    );
    await measure("`recv` that finds a message", (n) => run.held([receive(2_200 + n, [""])]));
    await measure("start", async (n) => runs.push(await begin(driver, workflowId(n))));
    await measure("`recv` that finds nothing", (n) => runs[n]!.held([receive(0, [""])]));
    await measure("suspend", (n) => runs[n]!.released([receive(0, [""])], SUSPEND));
    await measure(
      "`send` to a workflow that is suspended for it",
      (n) => driver.send([newMessage(workflowId(n), { value: VALUE, messageId: name(n), dedupeKey: name(n) })]),
    );
    await measure("claim of a workflow by its ID", async (n) => runs[n] = await take(driver, workflowId(n)));
    await measure("end", (n) => runs[n]!.released([], end()));
    await measure(
      "start with `enqueue`",
      (n) => driver.create(createRequest(`queued-${scattered(n)}`, { leaseMs: null })),
    );
    for (const client of [database, other]) client.close();

    const guide = await Deno.readTextFile(GUIDE);
    const head = ["Operation", "Statements", "Rows written", "Pages written"];
    if (WRITES_COSTS) return await Deno.writeTextFile(GUIDE, replaceTable(guide, TABLE, { head, rows: costs }));
    const told = readRows(guide, TABLE);
    const exact = (table: string[][]) => table.map((row) => row.slice(0, 3));
    assert.deepEqual(exact(told), exact(costs), "PARLEY_WRITE_COSTS=1 writes the table");
    for (const [index, [name, , , pages]] of costs.entries()) {
      const difference = Math.abs(Number(pages) - Number(told[index]![3]));
      assert(difference <= MAX_PAGES_DIFFERENCE, `${name}: ${pages} pages; PARLEY_WRITE_COSTS=1 writes the table`);
    }
  });
});

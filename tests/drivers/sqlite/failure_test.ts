import assert from "node:assert/strict";
import { createRequest } from "../../../conformance/requests.ts";
import { DriverError } from "../../../core/errors.ts";
import { type SqliteClient, sqliteDriver } from "../../../drivers/sqlite/mod.ts";
import { withDirectory } from "../../project/files.ts";
import { loadClient } from "./support/client.ts";

const open = await loadClient("node:sqlite");

Deno.test("sqliteDriver() refuses what is no database, and options that it does not know", () => {
  const others: unknown[] = [null, "parley.db", {}, { exec: () => {} }];
  for (const client of others) {
    assert.throws(() => sqliteDriver(client as SqliteClient), { code: "invalid_value" });
  }
  const database = open(":memory:");
  assert.throws(() => sqliteDriver(database, { synchronous: "off" as "full" }), { code: "invalid_value" });
  assert.throws(() => sqliteDriver(database, { requestTimeout: 0 }), { code: "invalid_value" });
  database.close();
});

Deno.test("a call waits until the caller's transaction on the connection is over, and is no part of it", async () => {
  const database = open(":memory:");
  const driver = sqliteDriver(database);
  await driver.migrate();
  database.exec("begin");
  const creating = driver.create(createRequest("w"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  database.exec("rollback");
  assert.equal((await creating).created, true);
  assert.equal((await driver.readWorkflow("w"))?.workflowId, "w");
  database.close();
});

Deno.test("a call rejects with a retryable DriverError if another connection keeps the lock", async () => {
  await withDirectory(async (directory) => {
    const [database, other] = [open(`${directory}/store.db`), open(`${directory}/store.db`)];
    const driver = sqliteDriver(database, { requestTimeout: 50 });
    await driver.migrate();
    other.exec("begin immediate");
    assert.deepEqual({ ...database.prepare("pragma busy_timeout").all()[0] as object }, { timeout: 0 });
    await assert.rejects(driver.create(createRequest("w", { input: '"secret"' })), (error) => {
      assert(error instanceof DriverError);
      assert.equal(error.retryable, true);
      assert.match(error.message, /^SQLite: create failed \(SQLITE_BUSY: /);
      return true;
    });
    assert.equal(await driver.readWorkflow("w"), null, "a reader does not wait for a writer");
    other.exec("rollback");
    assert.equal((await driver.create(createRequest("w"))).created, true);
    database.close();
    other.close();
  });
});

Deno.test("a call on a closed connection rejects with a DriverError that is not retryable", async () => {
  const database = open(":memory:");
  const driver = sqliteDriver(database);
  await driver.migrate();
  database.close();
  await assert.rejects(driver.readWorkflow("w"), (error) => error instanceof DriverError && !error.retryable);
});

/**
 * What a role of the database needs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { openDbosAtNeon } from "../../../dbos/open.ts";
import { atNeon } from "../../drivers/neon/support/harness.ts";
import type { SharedServer } from "../../drivers/neon/support/shared_server.ts";
import { guestUrl } from "../../drivers/postgres/support/postgres.ts";
import { GUEST } from "../../drivers/postgres/support/server.ts";
import { type Setting, testEach } from "../support/setting.ts";

/** Registers the tests. */
export function rightsSuite(settings: readonly Setting[], neon: SharedServer): void {
  testEach(settings, "a role that may only insert messages can send, and nothing else", async (setting) => {
    const { client, pool, url } = setting;
    const guest = await guestUrl(pool, url);
    await pool.query(`grant usage on schema dbos to ${GUEST}; grant insert on dbos.notifications to ${GUEST}`);
    const { client: sender } = openDbosAtNeon(atNeon(guest), { push: false, endpoint: neon });
    const id = `rights-${setting.version}`;
    await client.start("collect", { count: 3, topic: "t" }, { workflowId: id });
    const keyed = { topic: "t", idempotencyKey: "k" };
    assert.equal((await sender.send(id, 1, keyed)).duplicate, false);
    assert.equal((await sender.send(id, 1, keyed)).duplicate, true);
    const more = [2, 3].map((message) => ({ destinationId: id, message, topic: "t" }));
    assert.equal((await sender.sendAll(more)).length, 2);
    await assert.rejects(sender.send("nobody", 1), { code: "workflow_not_found", workflowId: "nobody" });
    const two = [id, "nobody"].map((destinationId) => ({ destinationId, message: 1, topic: "other" }));
    await assert.rejects(sender.sendAll(two), { code: "driver", retryable: false, message: /send failed.*23503/ });
    await pool.query(`grant select (workflow_uuid) on dbos.workflow_status to ${GUEST}`);
    await assert.rejects(sender.sendAll(two), { code: "workflow_not_found", workflowId: "nobody" });
    await pool.query(`revoke select (workflow_uuid) on dbos.workflow_status from ${GUEST}`);
    await assert.rejects(sender.status(id), { code: "driver", retryable: false });
    await assert.rejects(sender.getEvent(id, "got", { timeout: 0 }), { code: "driver", retryable: false });
    await assert.rejects(sender.cancel(id), { code: "driver", retryable: false });
    assert.deepEqual(await client.result(id), [1, 2, 3]);
  });
}

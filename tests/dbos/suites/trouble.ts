/**
 * Apps that are killed and started again, and many sends with repeats.
 *
 * @module
 */

import assert from "node:assert/strict";
import { openDbosOverQueryable } from "../../../dbos/open.ts";
import { type Setting, testEach } from "../support/setting.ts";

/** The number of messages of each sender. */
const SENDS = 250;
const SENDERS = 4;

/** What a sender sends. */
interface Sent {
  readonly sender: number;
  readonly n: number;
}

/** Sends messages one after the other, some of them twice, by `send` and `sendAll`. */
async function sendMany({ pool }: Setting, id: string, sender: number, count: number): Promise<number> {
  // As if each were in an isolate of its own.
  const { client } = openDbosOverQueryable(pool);
  let duplicates = 0;
  for (let n = 0; n < count;) {
    const size = n % 10 === 0 ? Math.min(5, count - n) : 1;
    const messages = Array.from({ length: size }, (_, index) => ({
      destinationId: id,
      message: { sender, n: n + index } satisfies Sent,
      topic: "t",
      idempotencyKey: `${sender}-${n + index}`,
    }));
    const repeats = n % 3 === 0 ? 2 : 1;
    const receipts = await Promise.all(Array.from({ length: repeats }, () => client.sendAll(messages)));
    const isNew = receipts.flat().filter(({ duplicate }) => !duplicate);
    assert.equal(isNew.length, size);
    duplicates += receipts.flat().length - isNew.length;
    n += size;
  }
  return duplicates;
}

/** Registers the tests. */
export function troubleSuite(settings: readonly Setting[]): void {
  testEach(
    settings,
    "1,000 sends with repeats are each received once and in order, while the app is killed",
    async (setting) => {
      const { client } = setting;
      const id = `many-${setting.version}`;
      await client.start("collectExactly", { count: SENDS * SENDERS, topic: "t" }, { workflowId: id });
      const sending = Promise.all(
        Array.from({ length: SENDERS }, (_, sender) => sendMany(setting, id, sender, SENDS)),
      );
      await setting.app.kill();
      await setting.restart();
      const duplicates = await sending;
      assert(duplicates.every((count) => count > 0));
      const { got, extra } = await client.result<{ got: Sent[]; extra: unknown }>(id);
      assert.equal(extra, null);
      for (let sender = 0; sender < SENDERS; sender++) {
        const received = got.filter((it) => it.sender === sender).map(({ n }) => n);
        assert.deepEqual(received, Array.from({ length: SENDS }, (_, n) => n));
      }
    },
  );

  testEach(settings, "waits, sends and starts outlast an app that is killed and started again", async (setting) => {
    const { client } = setting;
    const id = `killed-${setting.version}`;
    await client.start("checkout", { item: "lamp" }, { workflowId: id });
    assert.equal(await client.getEvent(id, "paymentUrl"), "https://pay.example/lamp");
    const steps = client.readStream(id, "progress").collect();
    const result = client.result(id);
    await setting.app.kill();
    // Nobody is there, and the database takes everything all the same.
    const late = `late-${setting.version}`;
    await client.start("echo", "still here", { workflowId: late });
    assert.equal((await client.send(id, { paid: true }, { topic: "payment", idempotencyKey: "k" })).duplicate, false);
    await setting.restart();
    assert.deepEqual((await steps).values, [{ step: "reserved", item: "lamp" }, { step: "paid" }]);
    assert.deepEqual(await result, { item: "lamp", paid: true });
    assert.deepEqual(await client.result(late), ["still here"]);
    const { recoveryAttempts } = await client.status(id);
    assert(recoveryAttempts >= 1);
  });
}

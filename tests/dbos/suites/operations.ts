/**
 * Every operation against real DBOS apps of several versions.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Setting, testEach } from "../support/setting.ts";

let ids = 0;
const newId = (name: string) => `${name}-${++ids}`;

/** Registers the tests. */
export function operationsSuite(settings: readonly Setting[]): void {
  testEach(
    settings,
    "a checkout is started, paid by a message, and followed by its event and its stream",
    async ({ client }) => {
      const id = newId("checkout");
      const started = await client.start("checkout", { item: "lamp" }, { workflowId: id });
      assert.deepEqual([started.workflowId, started.created], [id, true]);
      assert.equal(await client.getEvent(id, "paymentUrl"), "https://pay.example/lamp");
      const sent = await client.send(id, { paid: true }, { topic: "payment", idempotencyKey: "delivery-1" });
      assert.deepEqual(sent, { messageId: `delivery-1::${id}`, duplicate: false });
      const again = await client.send(id, { paid: true }, { topic: "payment", idempotencyKey: "delivery-1" });
      assert.deepEqual(again, { ...sent, duplicate: true });
      assert.deepEqual(await client.readStream(id, "progress").collect(), {
        values: [{ step: "reserved", item: "lamp" }, { step: "paid" }],
        closed: true,
        nextOffset: 2,
      });
      assert.deepEqual(await started.result(), { item: "lamp", paid: true });
      const info = await client.status(id);
      assert.deepEqual([info.name, info.status, info.input, info.output, info.unread, info.recoveryAttempts], [
        "checkout",
        "SUCCESS",
        { item: "lamp" },
        { item: "lamp", paid: true },
        0,
        0,
      ]);
      assert(info.endedAt! >= info.createdAt);
    },
  );

  testEach(settings, "the same ID starts nothing twice, and conflicts under another name", async ({ client }) => {
    const id = newId("same");
    assert.equal((await client.start("waiting", {}, { workflowId: id })).created, true);
    assert.equal((await client.start("waiting", {}, { workflowId: id })).created, false);
    const both = await Promise.all([1, 2, 3].map(() => client.start("echo", 1, { workflowId: `${id}-race` })));
    assert.equal(both.filter(({ created }) => created).length, 1);
    await assert.rejects(client.start("echo", {}, { workflowId: id }), { code: "workflow_conflict", workflowId: id });
    await assert.rejects(client.start("waiting", {}, { workflowId: id, className: "Other" }), {
      code: "workflow_conflict",
    });
    await client.cancel(id);
  });

  testEach(settings, "a start may name its queue, its priority and its arguments", async ({ client }) => {
    const handle = await client.start<unknown, unknown>("echo", undefined, {
      queue: "orders",
      priority: 7,
      positionalArgs: [1, { two: 2 }, null, "✓"],
    });
    assert.deepEqual(await handle.result(), [1, { two: 2 }, null, "✓"]);
    assert.deepEqual((await handle.status()).input, [1, { two: 2 }, null, "✓"]);
    assert.deepEqual(await (await client.start<unknown, unknown>("echo", "one")).result(), ["one"]);
    assert.deepEqual(await (await client.start<unknown, unknown>("echo", undefined)).result(), []);
  });

  testEach(settings, "a start with a delay waits for it", async ({ client }) => {
    const handle = await client.start<unknown, unknown>("echo", 1, { delay: "1500ms" });
    assert.equal((await handle.status()).status, "ENQUEUED");
    const listed = await client.list({ status: "ENQUEUED", idPrefix: handle.workflowId });
    assert.equal(listed.workflows.length, 1);
    await handle.result();
    const { createdAt, endedAt } = await handle.status();
    assert(endedAt! - createdAt >= 1_500);
  });

  testEach(settings, "values of the app's own format come back with their types", async ({ client, app }) => {
    const id = newId("types");
    await app.run("types", id);
    const expected = {
      date: new Date(0),
      map: new Map([["a", new Date(1)]]),
      set: new Set([1, 2]),
      big: 12345678901234567890n,
      nothing: undefined,
      bytes: Uint8Array.of(1, 2, 3),
      nan: NaN,
      text: "ü\u2028💡",
    };
    assert.deepEqual(await client.result(id), expected);
    assert.deepEqual(await client.getEvent(id, "value"), expected);
    assert.deepEqual((await client.readStream(id, "values").collect()).values, [expected, null, "plain"]);
    assert.deepEqual((await client.status(id)).unreadable, undefined);
  });

  testEach(settings, "the same workflow writes portable values if this client starts it", async ({ client }) => {
    const handle = await client.start<unknown, Record<string, unknown>>("types", undefined);
    const result = await handle.result();
    assert.equal(result.date, "1970-01-01T00:00:00.000Z");
    assert.equal(result.big, "12345678901234567890");
    assert.deepEqual(result.set, [1, 2]);
  });

  testEach(settings, "results: nothing, an error with its code, a cancel", async ({ client, app }) => {
    const nothing = newId("nothing");
    await app.run("nothing", nothing);
    assert.equal(await client.result(nothing), undefined);
    for (const start of ["app", "client"]) {
      const id = newId(`fail-${start}`);
      if (start === "app") await app.run("fail", id, { message: "no luck" });
      else await client.start("fail", { message: "no luck" }, { workflowId: id });
      await assert.rejects(client.result(id), (error: Error & { code: string }) => {
        assert.equal(error.code, "workflow_failed");
        const cause = error.cause as Error & { code: string };
        assert.deepEqual([cause.name, cause.message, cause.code, cause.stack], [
          "TypeError",
          "no luck",
          "E_FAIL",
          undefined,
        ]);
        return true;
      });
      const { error } = await client.status(id);
      assert.deepEqual(error, { name: "TypeError", message: "no luck", fields: { code: "E_FAIL" } });
    }
    await assert.rejects(client.result("nobody", { timeout: 0 }), { code: "workflow_not_found" });
  });

  testEach(
    settings,
    "messages from here and from the app arrive in order, of each topic and of none",
    async ({ client, app }) => {
      for (const topic of [undefined, "t"]) {
        const id = newId("collect");
        await client.start("collect", { count: 8, ...(topic && { topic }) }, { workflowId: id });
        const inTopic = topic === undefined ? {} : { topic };
        await client.send(id, 0, inTopic);
        const messages = [1, 2, 3].map((message) => ({ destinationId: id, message, ...inTopic }));
        assert.equal((await client.sendAll(messages)).length, 3);
        await client.send(id, 4, inTopic);
        await app.run("relay", newId("relay"), { to: id, ...(topic && { topic }), values: [5, 6, 7] });
        assert.deepEqual(await client.result(id), [0, 1, 2, 3, 4, 5, 6, 7]);
      }
    },
  );

  testEach(settings, "sendAll sends all or none, and tells duplicates", async ({ client }) => {
    const [a, b] = [newId("all-a"), newId("all-b")];
    for (const workflowId of [a, b]) await client.start("waiting", {}, { workflowId });
    const keyed = (destinationId: string, idempotencyKey: string) => ({
      destinationId,
      message: 1,
      topic: "x",
      idempotencyKey,
    });
    const first = await client.sendAll([keyed(a, "k"), keyed(b, "k")]);
    assert.deepEqual(first.map(({ duplicate }) => duplicate), [false, false]);
    const second = await client.sendAll([keyed(a, "k"), keyed(b, "l"), { destinationId: a, message: 2, topic: "x" }]);
    assert.deepEqual(second.map(({ duplicate }) => duplicate), [true, false, false]);
    await assert.rejects(client.sendAll([keyed(a, "m"), keyed("nobody", "m")]), {
      code: "workflow_not_found",
      workflowId: "nobody",
    });
    await assert.rejects(client.sendAll([keyed(a, "n"), keyed(a, "n")]), { code: "idempotency_conflict" });
    await assert.rejects(client.send("nobody", 1), { code: "workflow_not_found", workflowId: "nobody" });
    const { messages } = await client.messages(a);
    assert.deepEqual(messages.map(({ topic, value, idempotencyKey }) => [topic, value, idempotencyKey]), [
      ["x", 1, "k"],
      ["x", 2, undefined],
    ]);
    assert.deepEqual((await client.status(a)).unread, 2);
    await Promise.all([a, b].map((id) => client.cancel(id)));
  });

  testEach(settings, "a message to an ended workflow is accepted, and stays unread", async ({ client }) => {
    const handle = await client.start("nothing", undefined);
    await handle.result();
    assert.equal((await handle.send("late")).duplicate, false);
    assert.deepEqual((await client.messages(handle.workflowId)).messages.map(({ value }) => value), ["late"]);
  });

  testEach(settings, "an event is awaited, has versions, and can be watched", async ({ client }) => {
    const id = newId("states");
    const early = client.getEvent(id, "state");
    await client.start("states", undefined, { workflowId: id });
    const seen: unknown[] = [];
    const first = early.then((value) => void assert.equal(value, "a"));
    const watching = (async () => {
      for await (const { value, version } of client.watchEvent(id, "state").entries()) {
        seen.push([value, version]);
        await first;
        if (value !== "end") await client.send(id, value === "a" ? "b" : "end", { topic: "state" });
      }
    })();
    await client.send(id, "a", { topic: "state" });
    await watching;
    assert.deepEqual(seen, [["a", 1], ["b", 2], ["end", 3]]);
    assert.deepEqual(await client.getEventEntry(id, "state", { after: 2 }), { value: "end", version: 3 });
    await assert.rejects(client.getEvent(id, "other"), { code: "workflow_ended" });
    await assert.rejects(client.getEvent("nobody", "state", { timeout: 50 }), { code: "timeout" });
    assert.equal(await client.getEvent("nobody", "state", { timeout: 50, otherwise: "none" }), "none");
  });

  testEach(
    settings,
    "a stream is read in pages, live, from any offset, and to the end of its workflow",
    async ({ client }) => {
      const long = await client.start("publish", { count: 30 });
      await long.result();
      const id = long.workflowId;
      const all = Array.from({ length: 30 }, (_, index) => index);
      assert.deepEqual(await client.readStream(id, "numbers").collect(), { values: all, closed: true, nextOffset: 30 });
      const pages = await Array.fromAsync(client.readStreamPages(id, "numbers", { from: 5, limit: 10 }));
      assert.deepEqual(pages.map(({ from, values, atEnd, closed }) => [from, values.length, atEnd, closed]), [
        [5, 10, false, false],
        [15, 10, false, false],
        [25, 5, true, true],
      ]);
      await assert.rejects(client.readStream(id, "numbers", { from: 31 }).collect(), {
        code: "offset_out_of_range",
        end: 30,
      });
      await assert.rejects(client.readStream("nobody", "numbers").collect(), { code: "workflow_not_found" });

      const live = await client.start("publish", { count: 5, pauseMs: 20, close: false });
      const values: number[] = [];
      for await (const { offset, value } of client.readStream<number>(live.workflowId, "numbers").entries()) {
        assert.equal(offset, values.push(value) - 1);
      }
      assert.deepEqual(values, [0, 1, 2, 3, 4]);
      assert.deepEqual(await client.streams(live.workflowId).then(([it]) => [it?.key, it?.length, it?.closed]), [
        "numbers",
        5,
        true,
      ]);
    },
  );

  testEach(settings, "a list has filters and pages", async ({ client }) => {
    const prefix = newId("list");
    for (let index = 0; index < 5; index++) {
      await client.start("echo", index, { workflowId: `${prefix}:${index}`, queue: "nobody takes this" });
    }
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.list({ idPrefix: `${prefix}:`, limit: 2, ...(cursor && { cursor }) });
      listed.push(...page.workflows.map(({ workflowId }) => workflowId));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(listed.toSorted(), [0, 1, 2, 3, 4].map((index) => `${prefix}:${index}`));
    const options = { idPrefix: `${prefix}:`, status: "ENQUEUED", name: "echo", include: "values", limit: 5 } as const;
    const { workflows, cursor: more } = await client.list(options);
    assert.deepEqual(workflows.map(({ input }) => input), [4, 3, 2, 1, 0]);
    assert.equal(more, undefined);
    assert.equal((await client.list({ ...options, status: ["SUCCESS", "ERROR"] })).workflows.length, 0);
    const times = workflows.map(({ createdAt }) => createdAt);
    const listTimes = async (range: { createdAfter?: number; createdBefore?: number }) =>
      (await client.list({ ...options, ...range })).workflows.map(({ createdAt }) => createdAt);
    // The bounds themselves are left out.
    for (const bound of times) {
      assert.deepEqual(await listTimes({ createdAfter: bound }), times.filter((time) => time > bound));
      assert.deepEqual(await listTimes({ createdBefore: bound }), times.filter((time) => time < bound));
      const both = { createdAfter: bound - 1, createdBefore: bound + 1 };
      assert.deepEqual(await listTimes(both), times.filter((time) => time === bound));
    }
    await assert.rejects(client.list({ problem: true }), { code: "unsupported" });
    await assert.rejects(client.list({ due: true }), { code: "unsupported" });
  });

  testEach(
    settings,
    "cancel takes the children along, and resume lets a workflow go on with its messages",
    async ({ client, app }) => {
      const [parent, child] = [newId("parent"), newId("child")];
      await app.run("parent", parent, { childId: child });
      assert.equal(await client.getEvent(parent, "child"), child);
      await client.cancel(parent, { children: true });
      for (const id of [parent, child]) {
        assert.equal((await client.status(id)).status, "CANCELLED");
        await assert.rejects(client.result(id), { code: "workflow_cancelled" });
      }
      await client.cancel(parent);
      await client.send(child, "on", { topic: "go" });
      await client.resume(child);
      assert.equal(await client.result(child), "on");
      await assert.rejects(client.cancel(child), { code: "workflow_ended", status: "SUCCESS" });
      await assert.rejects(client.resume(child), { code: "workflow_ended" });
      await assert.rejects(client.cancel("nobody"), { code: "workflow_not_found" });
      await assert.rejects(client.resume(parent, { from: 0 }), { code: "unsupported" });
    },
  );

  testEach(settings, "history, messages, events and streams show what a workflow has", async ({ client, app }) => {
    const id = newId("shown");
    await app.run("checkout", id, { item: "lamp" });
    await client.getEvent(id, "paymentUrl");
    await client.send(id, { paid: false }, { topic: "payment", idempotencyKey: "d" });
    await client.result(id);
    const { entries } = await client.history(id);
    const shown = entries.filter(({ kind }) => kind !== "sleep").map((
      { kind, name, state, value },
    ) => [kind, name, state, value]);
    assert.deepEqual(shown, [
      ["writeStream", undefined, "done", undefined],
      ["step", "createPayment", "done", "https://pay.example/lamp"],
      ["setEvent", undefined, "done", undefined],
      ["recv", undefined, "done", { paid: false }],
      ["writeStream", undefined, "done", undefined],
      ["closeStream", undefined, "done", undefined],
    ]);
    assert(entries.every(({ startedAt, endedAt }) => startedAt > 0 && endedAt! >= startedAt));
    const first = await client.history(id, { limit: 2 });
    assert.deepEqual([first.entries.length, first.next], [2, first.entries[1]!.position]);
    assert.equal((await client.history(id, { after: first.next! })).entries.length, entries.length - 2);
    const { messages } = await client.messages(id, { state: "all" });
    assert.deepEqual(messages.map(({ topic, value, idempotencyKey }) => [topic, value, idempotencyKey]), [
      ["payment", { paid: false }, "d"],
    ]);
    assert(messages[0]!.receivedAt! >= messages[0]!.sentAt);
    assert.deepEqual((await client.messages(id)).messages, []);
    const [event] = await client.events(id);
    assert.deepEqual([event!.key, event!.version, event!.value], ["paymentUrl", 1, "https://pay.example/lamp"]);
    const [stream] = await client.streams(id);
    assert.deepEqual([stream!.key, stream!.length, stream!.closed], ["progress", 2, true]);
    assert(event!.updatedAt > 0 && stream!.updatedAt >= event!.updatedAt);
    await assert.rejects(client.history("nobody"), { code: "workflow_not_found" });
  });

  testEach(settings, "delete removes a workflow that has ended", async ({ client, pool }) => {
    const handle = await client.start("checkout", { item: "x" });
    const id = handle.workflowId;
    await client.getEvent(id, "paymentUrl");
    await assert.rejects(client.delete(id), { code: "workflow_active" });
    await client.cancel(id);
    await client.delete(id);
    await assert.rejects(client.status(id), { code: "workflow_not_found" });
    await assert.rejects(client.delete(id), { code: "workflow_not_found" });
    const left = await pool.query("select 1 from dbos.operation_outputs where workflow_uuid = $1", [id]);
    assert.equal(left.rows.length, 0);
  });
}

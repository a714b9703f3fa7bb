import assert from "node:assert/strict";
import { isComplete, problems, readStories, type Result } from "../../examples/checkout/demo/orders.ts";
import { Ledger } from "../../examples/checkout/ledger.ts";
import { total } from "../../examples/checkout/order.ts";
import type { Progress } from "../../examples/checkout/workflow.ts";

const STAGES: Progress["stage"][] = ["placed", "waiting", "paid", "charged", "shipped"];

/** The first order of the demo, as it should end, and the books that go with it. */
async function shippedOrder(): Promise<{ result: Result; ledger: Ledger }> {
  const [story] = await readStories();
  const { order } = story!;
  const ledger = new Ledger();
  ledger.record({ kind: "session", key: "a", orderId: order.id });
  ledger.record({ kind: "charge", key: "b", orderId: order.id, cents: total(order) });
  ledger.record({ kind: "shipment", key: "c", orderId: order.id });
  const entries = STAGES.map((stage, offset) => ({ offset, value: { stage, text: "" } }));
  const info = { orderId: order.id, status: "SUCCESS", outcome: "shipped", progress: "" } as const;
  return { result: { story: story!, info, seen: { entries, ended: true }, webhooks: [200] }, ledger };
}

Deno.test("problems() finds none when a call with a known key came again", async () => {
  const { result, ledger } = await shippedOrder();
  ledger.record({ kind: "charge", key: "b", orderId: "order-1001", cents: 4_900 });
  assert.deepEqual(problems(result, ledger), []);
});

Deno.test("problems() finds an order that was charged or shipped twice", async () => {
  for (const kind of ["charge", "shipment", "session"] as const) {
    const { result, ledger } = await shippedOrder();
    ledger.record({ kind, key: "another", orderId: "order-1001" });
    assert.equal(problems(result, ledger).length, 1, kind);
  }
});

Deno.test("problems() finds an order that was lost, is wrong, or was not charged", async () => {
  const { result, ledger } = await shippedOrder();
  const { info } = result;
  assert.equal(problems({ ...result, info: { ...info, status: "PENDING" } }, ledger).length, 1);
  assert.equal(problems({ ...result, info: { ...info, outcome: "abandoned" } }, ledger).length, 1);
  assert.equal(problems({ ...result, webhooks: [] }, ledger).length, 1);
  assert.equal(problems(result, new Ledger()).length, 4, "charge, amount, shipment, session");
});

Deno.test("isComplete() is false when the browser missed a line, saw one twice, or never saw the end", async () => {
  const { result } = await shippedOrder();
  const { entries } = result.seen;
  assert.equal(isComplete(result), true);
  for (
    const seen of [{ entries, ended: false }, { entries: entries.slice(1), ended: true }, {
      entries: entries.toSpliced(2, 0, entries[2]!),
      ended: true,
    }]
  ) {
    assert.equal(isComplete({ ...result, seen }), false);
  }
});

Deno.test("Ledger keeps what it said when its process dies in the middle of a line", async () => {
  const path = await Deno.makeTempFile();
  try {
    const { id } = new Ledger(path).record({ kind: "charge", key: "a", orderId: "o-1", cents: 5 });
    await Deno.writeTextFile(path, `\n{"kind":"char`, { append: true });
    const reopened = new Ledger(path);
    assert.equal(reopened.record({ kind: "charge", key: "a", orderId: "o-1", cents: 5 }).id, id);
    assert.deepEqual(new Ledger(path).tally("o-1", "charge"), { effects: 1, attempts: 2, cents: 5 });
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("demo.ts exits with 0 when the server was killed twice", async () => {
  const demo = new URL("../../examples/checkout/demo.ts", import.meta.url).href;
  const permissions = ["--allow-net=127.0.0.1", "--allow-env", "--allow-read", "--allow-write", "--allow-run"];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...permissions, demo],
    env: { NO_COLOR: "1" },
  })
    .output();
  const printed = new TextDecoder().decode(stdout);
  assert.equal(code, 0, printed);
  assert.equal(printed.match(/KILLED/g)?.length, 2);
  assert.equal(printed.match(/ complete {2}ok$/gm)?.length, (await readStories()).length);
});

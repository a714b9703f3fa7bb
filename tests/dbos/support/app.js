// @ts-nocheck It is copied beside a DBOS of some version, which it imports, and runs on Node.
/**
 * A DBOS app: `node app.js`, with the address of its system database in `SYSTEM_DATABASE`, and the
 * name under which its DBOS is installed in `DBOS_PACKAGE`.
 *
 * It prints `ready` once it runs, and ends with its input. It knows nothing of Parley.
 */

import process from "node:process";
import { createRequire } from "node:module";

const { DBOS, WorkflowQueue } = createRequire(import.meta.url)(process.env.DBOS_PACKAGE);

/** A step that any version takes. */
const step = (name, run) => DBOS.runStep(run, { name });

const workflows = {
  /** The checkout of a shop: waits for a payment, and publishes its progress. */
  async checkout(order) {
    await DBOS.writeStream("progress", { step: "reserved", item: order.item });
    const url = await step("createPayment", () => Promise.resolve(`https://pay.example/${order.item}`));
    await DBOS.setEvent("paymentUrl", url);
    const payment = await DBOS.recv("payment", 60);
    await DBOS.writeStream("progress", { step: payment?.paid ? "paid" : "declined" });
    await DBOS.closeStream("progress");
    return { item: order.item, paid: payment?.paid === true };
  },

  /** Receives messages of some topics until it has `count`, and publishes them all. */
  async collect({ count, topic }) {
    const got = [];
    while (got.length < count) got.push(await DBOS.recv(topic, 60));
    await DBOS.setEvent("got", got);
    return got;
  },

  /** Receives `count` messages, and then one more that must not come. */
  async collectExactly({ count, topic }) {
    const got = [];
    while (got.length < count) got.push(await DBOS.recv(topic, 60));
    return { got, extra: await DBOS.recv(topic, 1) };
  },

  /** Values of all types, everywhere. */
  async types() {
    const value = {
      date: new Date(0),
      map: new Map([["a", new Date(1)]]),
      set: new Set([1, 2]),
      big: 12345678901234567890n,
      nothing: undefined,
      bytes: Buffer.from([1, 2, 3]),
      nan: NaN,
      text: "ü\u2028💡",
    };
    await DBOS.setEvent("value", value);
    await DBOS.writeStream("values", value);
    await DBOS.writeStream("values", null);
    await DBOS.writeStream("values", "plain");
    return value;
  },

  /** Echoes its arguments. */
  async echo(...args) {
    return await Promise.resolve(args);
  },

  /** Returns nothing. */
  async nothing() {
    await Promise.resolve();
  },

  /** Throws an error with a code. */
  async fail({ message }) {
    await Promise.resolve();
    throw Object.assign(new TypeError(message), { code: "E_FAIL" });
  },

  /** Writes values to a stream, with pauses, and leaves it open. */
  async publish({ count, pauseMs = 0, close = true }) {
    for (let i = 0; i < count; i++) {
      await DBOS.writeStream("numbers", i);
      if (pauseMs > 0) await DBOS.sleep(pauseMs);
    }
    if (close) await DBOS.closeStream("numbers");
    return count;
  },

  /** Sets an event each time that a message comes. */
  async states() {
    for (let i = 1;; i++) {
      const state = await DBOS.recv("state", 60);
      await DBOS.setEvent("state", state);
      if (state === null || state === "end") return i;
    }
  },

  /** Starts a child that waits, and waits for it. */
  async parent({ childId }) {
    const child = await DBOS.startWorkflow(registered.waiting, { workflowID: childId })({});
    await DBOS.setEvent("child", childId);
    return await child.getResult();
  },

  /** Waits for a message. */
  async waiting() {
    return await DBOS.recv("go", 600);
  },

  /** Sends to another workflow, as an app does. */
  async relay({ to, topic, values }) {
    for (const value of values) await DBOS.send(to, value, topic);
    return values.length;
  },
};

DBOS.setConfig({
  name: "shop",
  systemDatabaseUrl: process.env.SYSTEM_DATABASE,
  logLevel: "error",
  runAdminServer: false,
});
const registered = {};
for (const [name, run] of Object.entries(workflows)) registered[name] = DBOS.registerWorkflow(run, { name });

if (WorkflowQueue) new WorkflowQueue("orders");
await DBOS.launch();
// Versions without the class keep queues in the database.
if (!WorkflowQueue) await DBOS.registerQueue?.("orders");

// Starts of the app's own, each a line of JSON: `[name, workflowID, ...args]`.
let rest = "";
process.stdin.on("data", async (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const [name, workflowID, ...args] = JSON.parse(line);
    await DBOS.startWorkflow(registered[name], { workflowID })(...args);
    console.log(`started ${workflowID}`);
  }
});
process.stdin.on("end", () => process.exit());
console.log("ready");

import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { readNeonAddress } from "../../../drivers/neon/address.ts";
import { listenOverWebSocket } from "../../../drivers/neon/session.ts";
import type { Session } from "../../../drivers/postgres/push/session.ts";
import { pushStatements } from "../../../drivers/postgres/calls/statements.ts";
import {
  closeStream,
  end,
  observeEvent,
  receive,
  record,
  send,
  setEvent,
  start,
  writeStream,
  YIELD,
} from "../../../conformance/operations.ts";
import { claimRequest, commitRequest, createRequest, newMessage, newWorkflow } from "../../../conformance/requests.ts";
import { begin, beginSuspended, enqueue, take } from "../../../conformance/driven_run.ts";
import { atNeon } from "./support/harness.ts";
import { neonDriverTest, POSTGRES, type Setting } from "./support/setting.ts";
import { quoted } from "../postgres/support/store.ts";

/**
 * A session that listens to the schema's channel, and that the database does not know as a
 * listener.
 */
class Ear implements AsyncDisposable {
  readonly #session: Session;
  readonly #heard: string[];

  private constructor(session: Session, heard: string[]) {
    this.#session = session;
    this.#heard = heard;
  }

  static async at(setting: Setting): Promise<Ear> {
    const heard: string[] = [];
    return new Ear(await openSession(setting, (text) => heard.push(text)), heard);
  }

  /**
   * Returns the notifications during a call, sorted. A notification that was committed before a
   * query arrives before the answer of the query.
   */
  async during(call: () => Promise<unknown>): Promise<string[]> {
    await call();
    await this.#session.query("select 1", []);
    return this.#heard.splice(0).toSorted();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session.close();
  }
}

/** Opens a session that listens to the schema's channel. */
function openSession({ server, schema }: Setting, notified: (text: string) => void = () => {}): Promise<Session> {
  const { login, websocket } = readNeonAddress(atNeon(POSTGRES), server);
  const options = { login, websocket: websocket!, timeoutMs: 5_000, clock: systemClock };
  return listenOverWebSocket(options, [pushStatements(schema).channel], notified, new AbortController().signal);
}

const listeners = ({ schema }: Setting) => `${quoted(schema)}.listeners`;

/** Registers a listener that does not exist. */
async function pretend(setting: Setting, until: string = "1 minute"): Promise<void> {
  await setting.query(
    `insert into ${
      listeners(setting)
    } values ('test', clock_timestamp() + $1::interval) on conflict (id) do update set until = excluded.until`,
    [until],
  );
}

neonDriverTest("NOTIFY is left out if there is no listener, or only silent ones", async (setting) => {
  const { driver } = setting.open({ push: false });
  await using ear = await Ear.at(setting);
  await enqueue(driver, "w");
  const sent = () => driver.send([newMessage("w")]);
  assert.deepEqual(await ear.during(sent), []);
  await pretend(setting);
  assert.deepEqual(await ear.during(sent), ["inbox:w"]);
  await pretend(setting, "-1 ms");
  assert.deepEqual(await ear.during(sent), []);
});

neonDriverTest(
  "every change hints each of its targets once, and a call without a change hints none",
  async (setting) => {
    const { driver } = setting.open({ push: false });
    await pretend(setting);
    await using ear = await Ear.at(setting);
    const heard = (call: () => Promise<unknown>) => ear.during(call);
    const create = createRequest("w");
    assert.deepEqual(await heard(() => driver.create(create)), ["status:w"]);
    assert.deepEqual(await heard(() => driver.create(create)), [], "a repeat");
    assert.deepEqual(await heard(() => enqueue(driver, "other")), ["due", "status:other"]);
    const run = { workflowId: "w", epoch: 1, owner: create.owner };
    await checkCommits(driver, heard, run);
    assert.deepEqual(await heard(() => driver.control({ workflowId: "w", action: "cancel" })), ["inbox:w", "status:w"]);
    assert.deepEqual(await heard(() => driver.control({ workflowId: "w", action: "cancel" })), [], "a repeat");
    assert.deepEqual(await heard(() => driver.control({ workflowId: "w", action: "resume" })), [
      "due",
      "inbox:w",
      "status:w",
    ]);
    assert.deepEqual(await heard(() => driver.control({ workflowId: "w", action: "resume" })), [], "a repeat");
    assert.deepEqual(await heard(() => driver.control({ workflowId: "none", action: "cancel" })), []);
    const claim = claimRequest({ workflowIds: ["w", "other"] });
    assert.deepEqual(await heard(() => driver.claim(claim)), ["status:other"], "w was PENDING before");
    assert.deepEqual(await heard(() => driver.claim(claim)), [], "a repeat");
    await heard(() => driver.control({ workflowId: "w", action: "cancel" }));
    assert.deepEqual(await heard(() => driver.purge({ olderThanMs: 0, limit: 10 })), ["status:w"]);
    assert.deepEqual(await heard(() => driver.purge({ olderThanMs: 0, limit: 10 })), []);
  },
);

async function checkCommits(
  driver: Driver,
  heard: (call: () => Promise<unknown>) => Promise<string[]>,
  run: { workflowId: string; epoch: number; owner: string },
): Promise<void> {
  let number = 0;
  const commit = (
    ...[operations, transition]: [Parameters<typeof commitRequest>[1], Parameters<typeof commitRequest>[2]?]
  ) => commitRequest({ ...run, number: ++number }, operations, transition);
  const quiet = commit([record(0, "1"), receive(1, ["t"], 0), observeEvent(2, "x", "y", 0), receive(3, ["t"])]);
  assert.deepEqual(await heard(() => driver.commit(quiet)), [], "a step, two timeouts and a wait");
  const message = newMessage("other", { topic: "t" });
  const busy = commit([
    ...Array.from({ length: 100 }, (_, n) => writeStream(10 + n, "s", "1")),
    setEvent(110, "k", "1"),
    setEvent(111, "k", "2"),
    closeStream(112, "s"),
    send(113, message),
    send(114, newMessage("other")),
    send(115, newMessage("none")),
    start(116, newWorkflow("child")),
    start(117, newWorkflow("child")),
  ]);
  const targets = ["due", "event:w", "inbox:other", "status:child", "stream:w"];
  assert.deepEqual(await heard(() => driver.commit(busy)), targets);
  assert.deepEqual(await heard(() => driver.commit(busy)), [], "a repeat");
  const refused = commit([
    writeStream(120, "s", "1"),
    closeStream(121, "s"),
    send(122, message),
    start(123, newWorkflow("child")),
  ]);
  assert.deepEqual(
    await heard(() => driver.commit(refused)),
    [],
    "a closed stream, a message that is there, a child that is there",
  );
  assert.deepEqual(await heard(() => driver.send([message])), [], "a message that is there");
  const batch = ["w", "w", "other"].map((id) => newMessage(id));
  assert.deepEqual(await heard(() => driver.send(batch)), ["inbox:other", "inbox:w"]);
  assert.deepEqual(await heard(() => driver.send([newMessage("other"), newMessage("none")])), [], "all or none");
}

neonDriverTest("a workflow that becomes due causes a hint, whatever makes it due", async (setting) => {
  const { driver } = setting.open({ push: false });
  const sender = await begin(driver, "sender");
  const last = await begin(driver, "last");
  for (const id of ["a", "b", "c", "d"]) {
    await beginSuspended(driver, id, [receive(0, [""]), observeEvent(1, "sender", id)]);
  }
  await pretend(setting);
  await using ear = await Ear.at(setting);
  const heard = (call: () => Promise<unknown>) => ear.during(call);
  assert.deepEqual(await heard(() => driver.send([newMessage("a"), newMessage("a"), newMessage("sender")])), [
    "due",
    "inbox:a",
    "inbox:sender",
  ]);
  assert.deepEqual(await heard(() => driver.send([newMessage("a")])), ["inbox:a"], "it was due");
  assert.deepEqual(await heard(() => sender.held([send(0, newMessage("b"))])), ["due", "inbox:b"]);
  assert.deepEqual(await heard(() => sender.held([setEvent(1, "c", "1")])), ["due", "event:sender"]);
  assert.deepEqual(await heard(() => sender.released([], YIELD)), ["due"]);
  const again = await take(driver, "sender");
  assert.deepEqual(await heard(() => again.suspend([receive(2, ["t"])])), []);
  const cancel = () => driver.control({ workflowId: "sender", action: "cancel" });
  assert.deepEqual(
    await heard(cancel),
    ["due", "inbox:sender", "status:sender"],
    "its last event will not come any more",
  );
  assert.deepEqual(await heard(() => last.released([], end())), ["status:last"]);
});

neonDriverTest("a target may have an ID of the maximum length", async (setting) => {
  const { driver } = setting.open({ push: false });
  await pretend(setting);
  await using ear = await Ear.at(setting);
  const id = "\u{1F600}".repeat(255);
  assert.deepEqual(await ear.during(() => enqueue(driver, id)), ["due", `status:${id}`]);
  assert.deepEqual(await ear.during(() => driver.send([newMessage(id)])), [`inbox:${id}`]);
});

neonDriverTest("settle_v1() waits for transactions that found no listener, and for no others", async (setting) => {
  const { query } = setting;
  const [writer, listener] = [await openSession(setting), await openSession(setting)];
  try {
    const settle = `select ${quoted(setting.schema)}.settle_v1()`;
    await listener.query(settle, []);
    await writer.query("begin", []);
    await writer.query(`select exists (select from ${listeners(setting)})`, []);
    let settled = false;
    const settling = listener.query(settle, []).then(() => settled = true);
    await delay(systemClock, 100);
    assert.equal(settled, false);
    await query(`select exists (select from ${listeners(setting)})`);
    await writer.query("commit", []);
    await writer.query("begin", []);
    await writer.query(`select exists (select from ${listeners(setting)})`, []);
    const began = performance.now();
    await settling;
    assert(performance.now() - began < 500, "it does not wait for a later transaction");
    await writer.query("commit", []);
  } finally {
    await Promise.all([writer.close(), listener.close()]);
  }
});

neonDriverTest(
  "listen_v1() extends the time of a listener, notifies its name, and removes listeners that are gone",
  async (setting) => {
    await pretend(setting, "-1 ms");
    const listen = (name: string) =>
      setting.query(`select ${quoted(setting.schema)}.listen_v1($1, 60000) as kept`, [name]);
    const kept = async (name: string) => (await listen(name)).rows[0]?.kept;
    await using ear = await Ear.at(setting);
    const heard = await ear.during(async () => {
      assert.deepEqual([await kept("a"), await kept("a"), await kept("b")], ["f", "t", "f"]);
    });
    assert.deepEqual(heard, ["a", "a", "b"]);
    const { rows } = await setting.query(`select id from ${listeners(setting)} order by id`);
    assert.deepEqual(rows.map(({ id }) => id), ["a", "b"]);
  },
);

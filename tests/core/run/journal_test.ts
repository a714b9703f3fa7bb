import assert from "node:assert/strict";
import type { JournalEntry, JournalPage } from "../../../core/driver/driver.ts";
import { type Difference, Journal, type OutcomeReceiver, type Recorded } from "../../../core/run/journal/journal.ts";
import { gate, settle } from "../setup.ts";

const entry = (position: number, seq: number, label: string = `op ${position}`): JournalEntry => ({
  position,
  label,
  seq,
  outcome: { tag: "value", value: String(position) },
});

interface Made {
  journal: Journal;
  /** Calls the next operation. Its number goes to `delivered` with its outcome. */
  call(label?: string): Recorded | Difference | Promise<Recorded | Difference>;
  delivered: unknown[];
  loads: number[];
  idles: () => number;
}

function make(
  pages: JournalPage[],
  { open = [] as { position: number; label: string }[], beforePage = () => Promise.resolve() } = {},
): Made {
  const [first = { entries: [], more: false }, ...rest] = pages;
  const delivered: unknown[] = [];
  const loads: number[] = [];
  let idles = 0;
  const load = async (after: number) => {
    loads.push(after);
    await beforePage();
    return rest.shift() ?? { entries: [], more: false };
  };
  const journal = new Journal(
    { journal: first, open: open.map((it) => ({ ...it, attempts: 0, remainingMs: null })) },
    load,
    () => idles++,
  );
  let next = 0;
  return {
    journal,
    delivered,
    loads,
    idles: () => idles,
    call(label = `op ${next}`) {
      next++;
      const call: OutcomeReceiver = {
        settle: (outcome) => void delivered.push(outcome.value),
        reject: (error) => delivered.push(error),
      };
      return journal.ask(journal.take(call), label);
    },
  };
}

Deno.test("ask() tells complete, open, new and different operations apart", () => {
  const { call } = make([{ entries: [entry(0, 1)], more: false }], {
    open: [{ position: 1, label: "recv" }, { position: 2, label: "sleep" }],
  });
  assert.deepEqual([call(), call("recv"), call("recv"), call()], [
    "complete",
    "open",
    { position: 2, expected: "sleep", actual: "recv" },
    "new",
  ]);
});

Deno.test("outcomes are delivered in recorded order, each in its own task, in any order of the calls", async () => {
  const { call, delivered } = make([{ entries: [entry(2, 1), entry(0, 2), entry(1, 3)], more: false }]);
  for (let n = 0; n < 3; n++) assert.equal(call(), "complete");
  assert.deepEqual(delivered, [], "nothing is delivered within the call");
  await Promise.resolve();
  assert.deepEqual(delivered, [], "nothing is delivered in a microtask");
  const seen: unknown[][] = [];
  for (let task = 0; task < 4; task++) {
    await settle(1);
    seen.push([...delivered]);
  }
  assert.deepEqual(seen.at(-1), ["2", "0", "1"]);
  assert(
    seen.some((it) => it.length === 1) && seen.some((it) => it.length === 2),
    "the outcomes arrive one after the other",
  );
});

Deno.test("a recorded outcome waits for its call, and all later ones wait for it", async () => {
  const { call, delivered } = make([{ entries: [entry(1, 1), entry(0, 2)], more: false }]);
  call();
  await settle();
  assert.deepEqual(delivered, []);
  call();
  await settle();
  assert.deepEqual(delivered, ["1", "0"]);
});

Deno.test("an operation without an outcome begins after the last page, so live outcomes follow recorded ones", async () => {
  const { open, opened } = gate();
  const pages = [{ entries: [entry(1, 1)], more: true }, { entries: [entry(2, 2)], more: false }];
  const made = make(pages, { open: [{ position: 0, label: "recv" }], beforePage: () => opened });
  const begun: unknown[] = [];
  const begin = async (label?: string) => begun.push(await made.call(label));
  for (const label of ["recv", "op 1", "op 2", "op 3"]) void begin(label);
  await settle();
  assert.deepEqual([begun, made.delivered, made.loads], [["complete"], ["1"], [1]], "the second page decides");
  open();
  await settle();
  assert.deepEqual(begun.toSorted(), ["complete", "complete", "new", "open"]);
  made.journal.add(0, { tag: "value", value: "live" });
  await settle();
  assert.deepEqual(made.delivered, ["1", "2", "live"]);
  assert.deepEqual([...made.journal.receivers.keys()], [3]);
});

Deno.test("a page is read only when no outcome can be delivered and the code waits for one", async () => {
  const pages = [1, 2, 3].map((seq) => ({ entries: [entry(seq - 1, seq)], more: seq < 3 }));
  const { call, loads, journal } = make(pages, { open: [{ position: 3, label: "op 3" }] });
  call();
  await settle();
  assert.deepEqual(loads, []);
  call();
  await settle();
  assert.deepEqual(loads, [1]);
  call();
  call();
  await settle();
  assert.deepEqual([loads, await journal.firstUnasked("the end")], [[1, 2], undefined]);
});

Deno.test("a page that cannot be read fails every operation that waits for it", async () => {
  const { call, journal } = make([{ entries: [], more: true }], {
    beforePage: () => Promise.reject(new Error("torn")),
  });
  const asked = await Promise.allSettled([call(), call()]);
  assert.deepEqual(asked.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(journal.delivering, true);
  await settle();
  assert.equal(journal.delivering, false);
});

Deno.test("a different operation on a later page is a difference", async () => {
  const { call } = make([{ entries: [entry(0, 1)], more: true }, { entries: [entry(1, 2, "step")], more: false }]);
  assert.equal(call(), "complete");
  assert.deepEqual(await call("sleep"), { position: 1, expected: "step", actual: "sleep" });
});

Deno.test("each page is loaded once, from the last place in the recorded order", async () => {
  const pages = [{ entries: [entry(0, 3), entry(1, 7)], more: true }, { entries: [entry(2, 9)], more: true }, {
    entries: [entry(3, 12)],
    more: false,
  }];
  const { call, loads, delivered } = make(pages);
  const asked = Array.from({ length: 5 }, () => call());
  assert.deepEqual(await Promise.all(asked), ["complete", "complete", "complete", "complete", "new"]);
  assert.deepEqual(loads, [7, 9]);
  await settle();
  assert.deepEqual(delivered, ["0", "1", "2", "3"]);
});

Deno.test("firstUnasked() names the lowest unasked position, also on a later page", async () => {
  const { call, journal } = make([{ entries: [entry(0, 1)], more: true }, {
    entries: [entry(3, 2), entry(2, 3)],
    more: false,
  }]);
  call();
  assert.deepEqual(await journal.firstUnasked("the end"), { position: 2, expected: "op 2", actual: "the end" });
});

Deno.test("firstUnasked() finds open entries too, and nothing after all were asked for", async () => {
  const { call, journal } = make([{ entries: [entry(0, 1)], more: false }], { open: [{ position: 1, label: "recv" }] });
  call();
  assert.deepEqual(await journal.firstUnasked("the end"), { position: 1, expected: "recv", actual: "the end" });
  call("recv");
  assert.equal(await journal.firstUnasked("the end"), undefined);
});

Deno.test("onDelivered is called when delivery is over and no outcome is left for the moment", async () => {
  const { call, journal, idles } = make([{ entries: [entry(0, 1)], more: false }]);
  call();
  assert.equal(journal.delivering, true);
  await settle();
  assert.deepEqual([journal.delivering, idles()], [false, 1]);
  call();
  journal.add(1, { tag: "done" });
  journal.add(7, { tag: "done" });
  await settle();
  assert.deepEqual([journal.delivering, idles()], [false, 2]);
});

Deno.test("failAll() ends calls once, and later outcomes go nowhere", async () => {
  const { call, journal, delivered } = make([]);
  for (let n = 0; n < 3; n++) call();
  journal.failAll("gone");
  journal.failAll("again");
  journal.add(0, { tag: "value", value: "late" });
  await settle();
  assert.deepEqual(delivered, ["gone", "gone", "gone"]);
  assert.equal(journal.receivers.size, 0);
});

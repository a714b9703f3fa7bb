import assert from "node:assert/strict";
import { type Clock, nextTask } from "../../core/time/clock.ts";
import { type OpenConnection, PushConnection, type PushOptions, type Tell } from "../../drivers/push.ts";

/** A clock that the test moves by hand. */
class HandClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How long until the next timer; `undefined` if there is none. */
  get nextMs(): number | undefined {
    const [first] = [...this.#timers].map(({ at }) => at).toSorted((a, b) => a - b);
    return first === undefined ? undefined : first - this.#now;
  }

  async advance(ms: number): Promise<void> {
    for (const end = this.#now + ms;; await settled()) {
      const [timer] = [...this.#timers].toSorted((a, b) => a.at - b.at);
      if (!timer || timer.at > end) {
        this.#now = end;
        return;
      }
      this.#now = timer.at;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

async function settled(): Promise<void> {
  for (let n = 0; n < 3; n++) await nextTask();
}

/** A connection that the test controls. */
class HandConnection implements OpenConnection {
  readonly #lost = new AbortController();
  readonly lost = this.#lost.signal;
  readonly tell: Tell;
  beats = 0;
  closed = 0;
  beat = (_over: AbortSignal): Promise<boolean> => Promise.resolve(++this.beats === 1);

  constructor(tell: Tell) {
    this.tell = tell;
  }

  lose(): void {
    this.#lost.abort();
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

/** A push over such connections. */
function opened(prepare: (connection: HandConnection) => void = () => {}, timing: { lookMs?: number } = {}) {
  const clock = new HandClock();
  const connections: HandConnection[] = [];
  const reports: string[] = [];
  const options: PushOptions = {
    clock,
    timing: { openAfterMs: 100, lingerMs: 1_000, beatMs: 20_000, ...timing },
    report: (problem) => void reports.push(problem),
    describe: (error) => String(error),
    connect(tell) {
      const connection = new HandConnection(tell);
      prepare(connection);
      connections.push(connection);
      return Promise.resolve(connection);
    },
  };
  return { clock, connections, reports, push: new PushConnection(options) };
}

Deno.test("PushConnection opens a lost connection again at once if it was live for a while, and later each time if not", async () => {
  const { clock, connections, push, reports } = opened();
  const watch = push.watch("due", () => {});
  for (const [round, base] of [100, 200, 400, 800].entries()) {
    await settled();
    assert(clock.nextMs! >= base / 2 && clock.nextMs! <= 1.5 * base, `${clock.nextMs} ms`);
    await clock.advance(1.5 * base);
    assert.deepEqual([connections.length, watch.live], [round + 1, true]);
    connections[round]!.lose();
  }
  await settled();
  await clock.advance(2_400);
  assert.equal(reports.length, 1, "a connection that does not last is worth a word");
  await clock.advance(5_000);
  connections[4]!.lose();
  await settled();
  assert(clock.nextMs! <= 150, `${clock.nextMs} ms`);
  await clock.advance(150);
  assert(watch.live);
  watch.close();
  await clock.advance(1_000);
  await push.idle;
  assert.deepEqual([connections.map(({ closed }) => closed), clock.nextMs], [[1, 1, 1, 1, 1, 1], undefined]);
});

Deno.test("PushConnection opens for short watches that follow each other, and not for one alone", async () => {
  const { clock, connections, push } = opened();
  const watchFor = async (ms: number) => {
    const watch = push.watch("due", () => {});
    await clock.advance(ms);
    watch.close();
    return watch;
  };
  await watchFor(40);
  await clock.advance(10_000);
  await push.idle;
  assert.deepEqual([connections.length, clock.nextMs], [0, undefined]);
  // The delay varies.
  for (let n = 0; n < 10; n++) {
    await watchFor(40);
    await clock.advance(5);
  }
  assert.equal(connections.length, 1);
  const last = push.watch("due", () => {});
  assert(last.live);
  last.close();
  await clock.advance(10_000);
  await push.idle;
  assert.deepEqual([connections.length, connections[0]!.closed, clock.nextMs], [1, 1, undefined]);
});

Deno.test("PushConnection waits longer after each failure, over short watches too", async () => {
  const { clock, connections, push, reports } = opened((connection) => connection.lose());
  for (let ms = 0; ms < 30_000; ms += 45) {
    const watch = push.watch("due", () => {});
    await clock.advance(40);
    watch.close();
    await clock.advance(5);
  }
  assert(connections.length >= 5 && connections.length <= 10, `${connections.length} attempts`);
  assert.equal(reports.length, 1);
  await clock.advance(1_000);
  await push.idle;
  assert.equal(clock.nextMs, undefined);
});

Deno.test("connections that open together spread over a time as long as their delay", async () => {
  const delays: number[] = [];
  for (let index = 0; index < 200; index++) {
    const { clock, push } = opened();
    const watch = push.watch("due", () => {});
    await settled();
    delays.push(clock.nextMs!);
    watch.close();
    await clock.advance(100);
    await push.idle;
  }
  const [first, last] = [Math.min(...delays), Math.max(...delays)];
  assert(first >= 50 && last <= 150 && last - first > 60, `${first} to ${last} ms`);
});

Deno.test("PushConnection waits at most 38 seconds between two attempts", async () => {
  const { clock, connections, push } = opened((connection) => connection.beat = () => Promise.reject(new Error("no")));
  const watch = push.watch("due", () => {});
  await settled();
  await clock.advance(600_000);
  const attempts = connections.length;
  await clock.advance(380_000);
  assert(connections.length - attempts >= 10, `${connections.length - attempts}`);
  watch.close();
  await clock.advance(100);
  await push.idle;
  assert.equal(clock.nextMs, undefined);
});

Deno.test("PushConnection reports once, with the known reason, that connections fail at their first beat", async () => {
  const { clock, connections, reports, push } = opened((connection) =>
    connection.beat = () => Promise.reject(new Error("no"))
  );
  let hints = 0;
  const watch = push.watch("due", () => hints += 1);
  await settled();
  await clock.advance(10_000);
  assert(connections.length > 4);
  assert.deepEqual([reports, hints], [
    ["the connection for push fails (Error: no), so waits poll until it succeeds"],
    0,
  ]);
  watch.close();
  await clock.advance(100);
  await push.idle;
  assert(connections.every(({ closed }) => closed === 1));
});

Deno.test("PushConnection hints all watches when a beat says that hints may be lost, and when a beat fails", async () => {
  const answers = [true, false, true];
  const { clock, push } = opened((connection) => {
    connection.beat = () => {
      const answer = answers.shift();
      return answer === undefined ? Promise.reject(new Error("no")) : Promise.resolve(answer);
    };
  });
  let hints = 0;
  const watch = push.watch("due", () => hints += 1);
  await settled();
  const seen: [number, boolean][] = [];
  for (const ms of [150, 20_000, 20_000, 20_000]) {
    await clock.advance(ms);
    seen.push([hints, watch.live]);
  }
  assert.deepEqual(seen, [[1, true], [1, true], [2, true], [3, false]]);
  watch.close();
  await clock.advance(1_000);
  await push.idle;
});

Deno.test("PushConnection does not hint a watch that another hint has closed or opened", async () => {
  const { clock, connections, push } = opened();
  const hinted: string[] = [];
  const watches = ["a", "b"].map((name) =>
    push.watch("due", () => {
      hinted.push(name);
      for (const watch of watches) watch.close();
      watches.push(push.watch("due", () => hinted.push(`after ${name}`)));
    })
  );
  const inbox = push.watch("inbox:w", () => hinted.push("inbox"));
  await settled();
  await clock.advance(150);
  assert.deepEqual(hinted, ["a", "inbox"]);
  hinted.length = 0;
  connections[0]!.tell(["due", "due", "inbox:w", "inbox:x", 7, null]);
  assert.deepEqual(hinted, ["after a", "after a", "inbox"]);
  for (const watch of [...watches, inbox]) watch.close();
  await clock.advance(1_000);
  await push.idle;
});

Deno.test("PushConnection aborts the signal of a beat when the connection is lost or no longer wanted", async () => {
  const signals: AbortSignal[] = [];
  const { clock, connections, push } = opened((connection) => {
    connection.beat = (over) => {
      signals.push(over);
      return signals.length % 2 === 1
        ? Promise.resolve(true)
        : new Promise((_, reject) => over.addEventListener("abort", () => reject(over.reason)));
    };
  });
  const watch = push.watch("due", () => {});
  await settled();
  await clock.advance(20_150);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false]);
  connections[0]!.lose();
  await settled();
  assert.deepEqual([signals[1]?.aborted, connections[0]?.closed, watch.live], [true, 1, false]);
  await clock.advance(20_150);
  assert.equal(signals.length, 4);
  watch.close();
  await clock.advance(1_000);
  await push.idle;
  assert.deepEqual([signals[3]?.aborted, connections[1]?.closed, clock.nextMs], [true, 1, undefined]);
});

Deno.test("PushConnection.watch() says how long to wait without a look, except for due", async () => {
  const { push } = opened(undefined, { lookMs: 60_000 });
  const watches = (["inbox:w", "stream:w", "due"] as const).map((target) => push.watch(target, () => {}));
  assert.deepEqual(watches.map(({ lookMs }) => lookMs), [60_000, 60_000, undefined]);
  const silent = opened().push.watch("inbox:w", () => {});
  assert.equal("lookMs" in silent, false);
  for (const watch of [...watches, silent]) watch.close();
  await push.idle;
});

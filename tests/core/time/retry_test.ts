import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError, ValidationError } from "../../../core/errors.ts";
import { withRetries } from "../../../core/time/retry.ts";
import { memoryDriver } from "../../../drivers/memory/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";

/** A driver whose `purge` fails as often as the test says, and the times of its calls. */
function failing(times: number, error: () => unknown) {
  const clock = new ManualClock();
  const calls: number[] = [];
  const start = clock.now();
  const driver: Driver = {
    ...memoryDriver({ clock }),
    purge() {
      calls.push(clock.now() - start);
      return calls.length <= times ? Promise.reject(error()) : Promise.resolve({ purged: 7 });
    },
  };
  return { clock, calls, purge: () => withRetries(driver, clock).purge({ olderThanMs: 0, limit: 1 }) };
}

const away = () => new DriverError("away", { retryable: true });

Deno.test("withRetries() repeats a call up to four times, with pauses that grow about threefold", async () => {
  const { clock, calls, purge } = failing(4, away);
  const purging = purge();
  await clock.advance(10_000);
  assert.deepEqual(await purging, { purged: 7 });
  const pauses = calls.slice(1).map((at, index) => at - calls[index]!);
  assert.equal(pauses.length, 4);
  [50, 150, 450, 1_350].forEach((base, index) => {
    const pause = pauses[index]!;
    assert(pause >= base / 2 && pause <= base * 1.5, `pause ${index} is ${pause} ms, and should be about ${base}`);
  });
  assert.equal(clock.pending, 0);
});

Deno.test("calls that fail together are repeated over a time as long as the pause", async () => {
  const pauses: number[] = [];
  for (let index = 0; index < 200; index++) {
    const { clock, calls, purge } = failing(1, away);
    const purging = purge();
    await clock.advance(100);
    await purging;
    pauses.push(calls[1]!);
  }
  const [first, last] = [Math.min(...pauses), Math.max(...pauses)];
  assert(first >= 25 && last <= 75 && last - first > 30, `${first} to ${last} ms`);
});

Deno.test("withRetries() gives up after the fifth call, with its error", async () => {
  const { clock, calls, purge } = failing(9, () => new DriverError(`away ${calls.length}`, { retryable: true }));
  const purging = assert.rejects(purge(), { code: "driver", retryable: true, message: "away 5" });
  await clock.advance(10_000);
  await purging;
  assert.equal(calls.length, 5);
});

Deno.test("withRetries() repeats only temporary faults, and wraps errors that a driver must not throw", async () => {
  const bug = new TypeError("a bug of the driver");
  for (
    const [error, expected] of [
      [new DriverError("refused", { retryable: false }), { code: "driver", message: "refused" }],
      [new ValidationError("bad cursor"), { code: "invalid_value" }],
      [bug, { code: "driver", retryable: false, cause: bug }],
      ["a text", { code: "driver", retryable: false, cause: "a text" }],
    ] as const
  ) {
    const { clock, calls, purge } = failing(1, () => error);
    await assert.rejects(purge(), expected);
    assert.deepEqual([calls.length, clock.pending], [1, 0]);
  }
});

Deno.test("withRetries() treats a synchronous throw like a rejection, and keeps the driver's `this`", async () => {
  const clock = new ManualClock();
  class Custom {
    readonly contract = 1;
    readonly #name = "custom";
    migrate(): Promise<void> {
      if (this.#name !== "custom") throw new Error();
      return Promise.resolve();
    }
    purge(): never {
      throw new TypeError("at once");
    }
    watch() {
      return { live: this.#name === "custom", close() {} };
    }
  }
  const driver = withRetries(new Custom() as unknown as Driver, clock);
  await driver.migrate();
  await assert.rejects(driver.purge({ olderThanMs: 0, limit: 1 }), { code: "driver" });
  assert.equal(driver.watch!("due", () => {}).live, true);
  const { watch: _, ...poll } = memoryDriver({ clock });
  assert.equal("watch" in withRetries(poll, clock), false);
});

Deno.test("withRetries() wraps a driver that is frozen", async () => {
  const driver = withRetries(Object.freeze({ ...memoryDriver() }), new ManualClock());
  assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 1 }), { purged: 0 });
});

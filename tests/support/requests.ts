/**
 * The requests on their way to a store.
 *
 * @module
 */

import { nextTask } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import type { Queryable } from "../../drivers/postgres/mod.ts";

/** How many tasks an answer may take to set off the next request. */
const TASKS_TO_SETTLE = 5;

/** Counts requests, and knows when all of them have been answered. */
export class Requests {
  /** How many requests have been made. */
  count = 0;
  /** A wait before each request. */
  before: () => Promise<unknown> = () => Promise.resolve();
  readonly #pending: Set<Promise<unknown>> = new Set();

  /** Makes a request. */
  async made<T>(request: () => Promise<T>): Promise<T> {
    this.count += 1;
    const pending = this.before().then(request);
    this.#pending.add(pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(pending);
    }
  }

  /** Waits until no request is under way, and the answers set off no other. */
  async settled(): Promise<void> {
    for (let tasks = 0; tasks < TASKS_TO_SETTLE; tasks++) {
      if (this.#pending.size > 0) tasks = 0;
      await Promise.allSettled(this.#pending);
      await nextTask();
    }
  }

  /** Counts the requests of a client. */
  over(queryable: Queryable): Queryable {
    return { query: (text, params) => this.made(() => queryable.query(text, params)) };
  }
}

/** Counts the calls of a driver, so that a test can wait for their end. */
export function counted(driver: Driver, requests: Requests): Driver {
  const made =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) => (...args: Args): Promise<Result> =>
      requests.made(() => call(...args));
  return {
    ...driver,
    migrate: made(driver.migrate),
    create: made(driver.create),
    claim: made(driver.claim),
    commit: made(driver.commit),
    readJournal: made(driver.readJournal),
    send: made(driver.send),
    readWorkflow: made(driver.readWorkflow),
    listWorkflows: made(driver.listWorkflows),
    readEvent: made(driver.readEvent),
    readStream: made(driver.readStream),
    control: made(driver.control),
    purge: made(driver.purge),
  };
}

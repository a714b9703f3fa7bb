/**
 * Random calls to a driver and to the memory driver, which is the reference. Both must answer
 * alike.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Driver, Operation, Transition } from "../../../core/driver/driver.ts";
import { memoryDriverOver, type MemoryStore, memoryStore } from "../../../drivers/memory/mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { end, park, record, SUSPEND, writeStream, YIELD } from "../../../conformance/operations.ts";
import { newWorkflow } from "../../../conformance/requests.ts";
import { canonical } from "./canonical.ts";
import { type Command, fixed, IDS, KEYS, NAMES, SOME, type Story, story } from "./story.ts";

const HOUR_MS = 3_600_000;

type Asked<Do extends Command["do"]> = Extract<Command, { do: Do }>;

/** A call of any driver. */
type Ask = (driver: Driver) => Promise<unknown>;

interface Run {
  readonly workflowId: string;
  readonly epoch: number;
  readonly owner: string;
  number: number;
}

/** Makes the calls of a story on both drivers. */
class Telling {
  readonly #story: Story;
  readonly #clock = new ManualClock(new ManualClock().now() + HOUR_MS);
  readonly #store: MemoryStore = memoryStore({ clock: this.#clock });
  readonly #reference = memoryDriverOver(this.#store);
  readonly #runs: Run[] = [];
  /** The calls that may be repeated. */
  #asked: Ask[] = [];
  /** The commits that skipped a number, and their run and number. */
  readonly #skipping = new Map<Ask, [Run, number]>();
  readonly #claims = new Set<Ask>();
  #count = 0;

  constructor(story: Story) {
    this.#story = story;
  }

  async tell(makeHarness: MakeHarness): Promise<void> {
    await using harness = await makeHarness();
    for (const [instance, command] of this.#story.calls) {
      this.#count += 1;
      // No two calls happen at one instant, because the contract leaves the order of workflows open
      // that are due since the same one.
      const ms = command.do === "advance" ? command.ms : 1;
      await Promise.all([this.#clock.advance(ms), harness.advance(ms)]);
      const ask = command.do === "repeat" ? this.#repeat(command) : this.#ask(command);
      await this.#compare(harness.drivers[instance], ask, command.do === "repeat" || this.#isCancelled(command));
    }
    for (const id of IDS) await this.#compare(harness.drivers[0], everything(id), false);
  }

  async #compare(driver: Driver, ask: Ask | undefined, isRepeat: boolean): Promise<void> {
    if (!ask) return;
    const expected = await ask(this.#reference);
    assert.deepEqual(canonical(await ask(driver), isRepeat), canonical(expected, isRepeat), `call ${this.#count}`);
  }

  /** A cancel of a cancelled workflow is a repeat, whichever driver gets it. */
  #isCancelled(command: Command): boolean {
    return command.do === "control" && command.action === "cancel" &&
      this.#store.rows.get(command.id)?.status === "CANCELLED";
  }

  #ask(command: Command): Ask | undefined {
    switch (command.do) {
      case "create":
        return this.#create(command);
      case "claim":
        return this.#claim(command);
      case "commit":
        return this.#commit(command);
      case "suspend":
        return this.#suspend(command);
      case "many":
        return this.#many(command);
      case "send":
        return this.#send(command);
      case "control":
        return (driver) => driver.control({ workflowId: command.id, action: command.action });
      case "purge":
        return (driver) => driver.purge(command);
      case "list":
        return (driver) => wholeList(driver, command);
      case "read":
        return (driver) => readAt(driver, command);
      default:
        return undefined;
    }
  }

  /** A claim that took nothing takes what is due when it is repeated, and its limit does not know of an open order. */
  #repeat({ call }: Asked<"repeat">): Ask | undefined {
    const ask = this.#asked.at(-1 - call);
    return ask && this.#claims.has(ask) && this.#isOrderOpen() ? undefined : ask;
  }

  #repeatable(ask: Ask): Ask {
    this.#asked.push(ask);
    return ask;
  }

  #create({ id, name, leaseMs }: Asked<"create">): Ask {
    const request = {
      ...newWorkflow(id, { name, input: `input ${this.#count}` }),
      owner: `owner ${this.#count}`,
      leaseMs,
    };
    return this.#repeatable(async (driver) => {
      const result = await driver.create(request);
      if (driver === this.#reference && result.created && leaseMs !== null) this.#begin({ ...request, epoch: 1 });
      return result;
    });
  }

  #claim({ ids: workflowIds, names, limit, leaseMs, ...rest }: Asked<"claim">): Ask {
    // A process can run the workflows that it runs, so the contract leaves open whether one of
    // `except` counts as unknown.
    const except = NAMES.every((name) => names.includes(name)) ? rest.except : [];
    const request = {
      workflowIds,
      names,
      except,
      limit: this.#isOrderOpen() ? 100 : limit,
      leaseMs,
      owner: `owner ${this.#count}`,
    };
    const ask = this.#repeatable(async (driver) => {
      const result = await driver.claim(request);
      if (driver !== this.#reference) return result;
      for (const { workflow: { workflowId }, epoch } of result.claimed) this.#begin({ ...request, workflowId, epoch });
      return result;
    });
    this.#claims.add(ask);
    return ask;
  }

  /**
   * Two workflows may be due since the same instant. The contract leaves their order open, so both
   * are taken. It also leaves the order of lapsed leases open, because a store may note a renewal
   * late, to write less.
   */
  #isOrderOpen(): boolean {
    const now = this.#clock.now();
    const due = [...this.#store.scheduled].filter(({ dueAt }) => dueAt !== null && dueAt <= now);
    return new Set(due.map(({ dueAt }) => dueAt)).size < due.length || due.some(({ held }) => held);
  }

  #begin({ workflowId, epoch, owner }: Omit<Run, "number">): void {
    const isKnown = this.#runs.some((run) => run.owner === owner && run.workflowId === workflowId);
    if (!isKnown) this.#runs.push({ workflowId, epoch, owner, number: 0 });
  }

  #commit({ run: nth, positions, steps, skips, ...rest }: Asked<"commit">): Ask | undefined {
    const inSteps = (id: string) => steps.flatMap((nth) => this.#story.steps[nth]?.(id, this.#count) ?? []);
    const run = this.#runs.at(-1 - nth);
    return this.#write(run, (id) => [...this.#code(positions, id), ...inSteps(id)], this.#goal(rest), skips);
  }

  #goal(
    { transition, status, delayMs }: Pick<Asked<"commit">, "transition" | "status" | "delayMs">,
  ): Transition | null {
    switch (transition) {
      case "end":
        return ending(status);
      case "yield":
        return YIELD;
      case "park":
        return park(`problem ${this.#count}`, delayMs);
      default:
        return null;
    }
  }

  /** Every open wait belongs to a suspend. */
  #suspend({ run: nth, waits }: Asked<"suspend">): Ask | undefined {
    const run = this.#runs.at(-1 - nth);
    const entries = run ? [...this.#store.rows.get(run.workflowId)?.entries.values() ?? []] : [];
    const open = entries.filter(({ outcome }) => outcome === null).map(({ position }) => position);
    // A wait with an outcome would prevent the suspend.
    const others = waits.map((wait) => wait + SOME).filter((wait) =>
      !entries.some(({ position }) => position === wait)
    );
    return this.#write(run, (id) => this.#code([...others, ...open], id), SUSPEND);
  }

  #code(positions: readonly number[], id: string): Operation[] {
    return positions.flatMap((position) => this.#story.code[position]?.(position, id, this.#count) ?? []);
  }

  #many({ run, from, count }: Asked<"many">): Ask | undefined {
    const positions = Array.from({ length: count }, (_, index) => 2 * SOME + from + index);
    const made = positions.map((position) =>
      position % 3 ? writeStream(position, "k", `${position}`) : record(position, `${position}`)
    );
    return this.#write(this.#runs.at(-1 - run), () => made, null);
  }

  /**
   * A commit that skips a number is refused, so the next commit has the number that it skipped. A
   * repeat of the refused commit may succeed later, unless another commit has got its number.
   */
  #write(
    run: Run | undefined,
    operations: (id: string) => Operation[],
    transition: Transition | null,
    skips = false,
  ): Ask | undefined {
    if (!run) return undefined;
    const number = run.number + (skips ? 2 : 1);
    if (!skips) this.#takeNumber(run, number);
    const request = { ...run, number, leaseMs: 5_000, operations: operations(run.workflowId), transition };
    const ask = this.#repeatable(async (driver) => {
      const result = await driver.commit(request);
      if (result.state !== "lost") run.number = Math.max(run.number, number);
      return result;
    });
    if (skips) this.#skipping.set(ask, [run, number]);
    return ask;
  }

  #takeNumber(run: Run, number: number): void {
    run.number = number;
    this.#asked = this.#asked.filter((ask) => {
      const skipping = this.#skipping.get(ask);
      return skipping?.[0] !== run || skipping[1] !== number;
    });
  }

  #send({ messages }: Asked<"send">): Ask {
    const made = messages.map(({ id, topic, key }, index) => {
      const message = fixed(id, topic, `message ${this.#count} ${index}`);
      return { ...message, dedupeKey: key ?? message.messageId };
    });
    return this.#repeatable((driver) => driver.send(made));
  }
}

function ending(nth: number): Transition {
  return nth < 4 ? end() : nth === 4 ? end("ERROR", "failed") : end("MAX_RECOVERY_ATTEMPTS_EXCEEDED", null);
}

async function wholeList(driver: Driver, { statuses, name, problem, values, limit }: Asked<"list">): Promise<unknown> {
  const pages = [];
  for (let cursor: string | null = null, isFirst = true; isFirst || cursor !== null; isFirst = false) {
    const page = await driver.listWorkflows({ problem, values, statuses, name, limit, cursor });
    pages.push(page.workflows);
    cursor = page.cursor;
  }
  return pages;
}

async function readAt(
  driver: Driver,
  { id: workflowId, key, from, limit }: Omit<Asked<"read">, "do">,
): Promise<unknown> {
  const stream = await driver.readStream({ workflowId, key, from, limit });
  return [
    stream,
    await driver.readJournal({ workflowId, after: from, limit }),
    await driver.readEvent({ workflowId, key }),
  ];
}

/** All that a driver shows of a workflow. */
function everything(id: string): Ask {
  return async (driver) => {
    const parts = await Promise.all(KEYS.map((key) => readAt(driver, { id, key, from: 0, limit: 1_000 })));
    const claim = await driver.claim({
      workflowIds: [id],
      names: NAMES,
      except: [],
      limit: 1,
      leaseMs: 1,
      owner: `last ${id}`,
    });
    const record = await driver.readWorkflow(id, { counts: true });
    const query = { workflowId: id, after: null, limit: 1_000 };
    const looks = [
      await driver.readHistory(query),
      await driver.listMessages({ ...query, state: "all", topic: null }),
      await driver.listEvents(query),
      await driver.listStreams(query),
    ];
    return [record, { left: record?.unread }, parts, claim, looks];
  };
}

/** Registers the property. */
export function differential(test: RegisterTest, makeHarness: MakeHarness, options: { runs: number }): void {
  test("random calls are answered as the memory driver answers them", async () => {
    const property = fc.asyncProperty(story, async (it) => await new Telling(it).tell(makeHarness));
    await fc.assert(property, { numRuns: options.runs });
  });
}

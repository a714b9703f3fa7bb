/**
 * Shared looks. Within a `Parley`, all waits for one event or result share a subscription and its
 * polls. Waits that begin together also share their first look.
 *
 * Without this sharing, 1,000 waiters of one event made 1,000 requests at once, and then about
 * 1,000 a second.
 *
 * @module
 */

import type { WatchTarget } from "../driver/driver.ts";
import { nextTask } from "../time/clock.ts";
import type { DriverError } from "../errors.ts";
import { Waiter, type WaitHost } from "../time/waiter.ts";

/** What waits look at. `F` is what a look finds. */
export interface Shared<F extends Found> {
  /** Identifies what is read. Waits with the same name share their looks. */
  readonly name: string;
  readonly target: WatchTarget;
  /**
   * Looks once, and finds out the store's time if `now` says so. A look serves other waits too, so it
   * must not end with one wait.
   */
  readonly read: (now: true | undefined) => Promise<F>;
  /**
   * Whether a run here is about to hand over the result, by {@linkcode SharedLooks.giving}. A look
   * would not find it sooner.
   */
  readonly isComing?: () => boolean;
  /**
   * Whether a run here gives a hint when it changes the target. Then push connects only after the
   * wait has polled for a while, because the run may be over soon.
   */
  readonly isHere?: () => boolean;
}

/** What a look finds. It may have a member `now`, which is the store's time. */
type Found = object | null;

type Looked<F> = Promise<{ found: F } | { outage: DriverError }>;

/**
 * A look of several waits. The first wait that is ready makes it, and the others get its result.
 */
interface Round<F> {
  looked?: Looked<F>;
}

/**
 * The most looks of one name that are under way at once. With only one, a look whose answer is slow
 * would delay all waits that begin after it.
 */
const MAX_LOOKS = 4;

/** The looks that waits share, by name. */
export class SharedLooks {
  readonly #groups = new Map<string, Group<Found>>();

  /** Adds a wait to those of the same name. */
  join<F extends Found>(host: WaitHost, shared: Shared<F>, wait: SharingWaiter<F>): Group<F> {
    const { name } = shared;
    const group = this.#groups.get(name) as Group<F> | undefined ??
      new Group<F>(host, shared, () => this.#groups.delete(name));
    this.#groups.set(name, group);
    return group.enter(wait);
  }

  /**
   * Prepares to hand over what a run here is about to write. Call the returned function with the
   * value once it is written. It gives the value to the waits that exist now, as if a look had
   * found it.
   *
   * Waits that begin later must look, because the ID may already belong to another workflow.
   */
  giving(name: string): (found: Found) => void {
    const waits = this.#groups.get(name)?.waits ?? [];
    return (found) => waits.forEach((wait) => wait.give(found));
  }
}

/** The waits of one name. */
class Group<F extends Found> {
  readonly #waiter: Waiter;
  readonly #shared: Shared<F>;
  readonly #onEmpty: () => void;
  readonly #waits = new Set<SharingWaiter<F>>();
  readonly #sleeping = new Set<SharingWaiter<F>>();
  #watching = false;
  /** The number of looks under way. */
  #looks = 0;
  /** Called when a look ends. */
  #onLooked = () => {};
  /** The next look, which has not been sent. */
  #next: Looked<F> | undefined;

  constructor(host: WaitHost, shared: Shared<F>, onEmpty: () => void) {
    this.#waiter = new Waiter(host);
    this.#shared = shared;
    this.#onEmpty = onEmpty;
    // Push does not connect yet, because most waits find what they want at their first look.
    this.#waiter.listen([shared.target], { connects: false });
  }

  get waits(): SharingWaiter<F>[] {
    return [...this.#waits];
  }

  enter(wait: SharingWaiter<F>): this {
    this.#waits.add(wait);
    this.#waiter.reset();
    return this;
  }

  leave(wait: SharingWaiter<F>): void {
    this.#waits.delete(wait);
    this.#sleeping.delete(wait);
    if (this.#waits.size > 0) return;
    this.#waiter.close();
    this.#onEmpty();
  }

  /**
   * Makes a look that begins after this call. If no other look is under way, it is sent at once.
   * Otherwise it is sent in a later task, and serves all calls until then.
   */
  look(): Looked<F> {
    if (this.#looks === 0 && !this.#next) return this.#send();
    return this.#next ??= this.#sendNext();
  }

  async #sendNext(): ReturnType<Group<F>["look"]> {
    await nextTask();
    while (this.#looks >= MAX_LOOKS) await new Promise<void>((resolve) => this.#onLooked = resolve);
    this.#next = undefined;
    return await this.#send();
  }

  async #send(): ReturnType<Group<F>["look"]> {
    this.#looks++;
    try {
      const now = this.waits.some(({ onNow }) => onNow) || undefined;
      return await this.#waiter.look(() => this.#shared.read(now));
    } finally {
      this.#looks--;
      this.#onLooked();
    }
  }

  /** Puts a wait to sleep until the next round. A hint or a poll begins a round. */
  sleep(wait: SharingWaiter<F>): void {
    this.#sleeping.add(wait);
    if (!this.#watching) void this.#watch();
  }

  /**
   * Begins a round. It also concerns waits that are looking, because their looks may be too early.
   */
  #wake(round: Round<F>): void {
    this.#sleeping.clear();
    for (const wait of this.waits) wait.turn(round);
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    const { target, isComing, isHere } = this.#shared;
    while (this.#sleeping.size > 0) {
      if (!isHere?.() || this.#waiter.isPatient) this.#waiter.listen([target]);
      if (await this.#waiter.next() && !isComing?.()) this.#wake({});
    }
    this.#watching = false;
  }
}

/** Decides when one of several waits looks, and shares its looks with the others. */
export class SharingWaiter<F extends Found> extends Waiter {
  readonly #join: () => Group<F>;
  readonly #read: (now: true | undefined) => Promise<F>;
  #group: Group<F> | undefined;
  #round: Round<F> | undefined;
  /** What a run here has given, and this wait has not read yet. */
  #given: { found: F } | undefined;

  /**
   * @param host The store, the time and the hints.
   * @param looks The looks that waits share.
   * @param shared What to look at.
   */
  constructor(host: WaitHost, looks: SharedLooks, shared: Shared<F>) {
    super(host);
    this.#read = shared.read;
    this.#join = () => looks.join(host, shared, this);
  }

  /** Joins the waits of the same name, or leaves them if there is no target. */
  override listen(targets: Iterable<WatchTarget>): void {
    if ([...targets].length > 0) this.#group ??= this.#join();
    else this.#group = void this.#group?.leave(this);
  }

  override async next({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    if (!this.#isDue) {
      this.#group?.sleep(this);
      await super.next({ poll: false, signal });
    }
    return this.#isDue;
  }

  get #isDue(): boolean {
    return this.#round !== undefined || this.#given !== undefined;
  }

  /** Tells this wait of a round. */
  turn(round: Round<F>): void {
    this.#round = round;
    this.poke();
  }

  /** Hands over what the next look of this wait would find. The wait goes on if that is not enough. */
  give(found: F): void {
    this.#given = { found };
    this.poke();
  }

  /**
   * Returns what a run here has given, or what another wait of the same round has found. Otherwise
   * it looks once.
   */
  async read(): Promise<F> {
    const found = await this.#find();
    const now = this.onNow && (found as { now?: number } | null)?.now;
    if (now !== undefined) {
      this.onNow!(now);
      this.onNow = undefined;
    }
    return found;
  }

  async #find(): Promise<F> {
    const given = this.#given;
    this.#given = undefined;
    if (given) return given.found;
    const round: Round<F> = this.#round ?? {};
    this.#round = undefined;
    if (this.#group) round.looked ??= this.#group.look();
    if (!round.looked) return await this.#read(this.onNow && true);
    const result = await round.looked;
    if ("outage" in result) throw result.outage;
    return result.found;
  }
}

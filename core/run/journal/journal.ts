/**
 * Positions and replay. The journal knows which operations the code has called, and which outcomes
 * are recorded. It decides when the code gets those outcomes.
 *
 * Outcomes are delivered one at a time, in the order in which they were recorded. Each outcome is
 * delivered in a task of its own, and only after the code has called the operation. Between two
 * deliveries the code runs as far as it can. As a result, `Promise.race` has the same winner on
 * every replay.
 *
 * The journal comes in pages. An operation without an outcome begins only after the last page was
 * read. So no page contains an entry that this run has recorded. Every outcome of this run also
 * comes after all outcomes of earlier runs.
 *
 * @module
 */

import { nextTask } from "../../time/clock.ts";
import { splitLabel } from "../../values/send_label.ts";
import type { Claimed, JournalEntry, JournalPage, OpenEntry, Outcome } from "../../driver/driver.ts";

/** The code that waits for the outcome of an operation. */
export interface OutcomeReceiver {
  /**
   * Hands the outcome to the code. Nothing else is delivered until the returned promise has
   * settled.
   */
  settle(outcome: Outcome): void | Promise<void>;
  /** Ends the operation without an outcome. */
  reject(error: unknown): void;
}

/**
 * What the journal has at a position: an outcome, an operation that an earlier run began, or
 * nothing.
 */
export type Recorded = "complete" | "open" | "new";

/** A position where code and journal differ. */
export interface Difference {
  position: number;
  expected: string;
  actual: string;
}

/** An operation whose entry may be on a page that has not been read yet. */
interface Ask {
  readonly label: string;
  /** Whether an earlier run began the operation and it has no outcome on the pages read so far. */
  readonly isOpen: boolean;
  resolve(recorded: Recorded | Difference): void;
  reject(error: unknown): void;
}

/** One run's view of its workflow's journal. */
export class Journal {
  /** The receivers of outcomes that are not delivered yet, by position. */
  readonly receivers: Map<number, OutcomeReceiver> = new Map();
  readonly #load: (after: number) => Promise<JournalPage>;
  readonly #onDelivered: () => void;
  /**
   * Operations without an outcome on the pages read so far. They begin if the remaining pages have
   * none either.
   */
  readonly #asks = new Map<number, Ask>();
  /** Labels of the entries that the code has not asked for yet, by position. */
  readonly #unasked = new Map<number, { label: string; recorded: "complete" | "open" }>();
  /** The waits that began before this run. */
  readonly #open = new Map<number, OpenEntry>();
  /** Complete entries that were not delivered yet, in recorded order. */
  readonly #recorded: JournalEntry[] = [];
  /**
   * Outcomes that this run has recorded, in recorded order. They are delivered after all of
   * `#recorded`.
   */
  readonly #live: { position: number; outcome: Outcome }[] = [];
  #nextPosition = 0;
  #lastSeq = 0;
  #more = false;
  #loading: Promise<void> | undefined;
  #delivering = false;
  /** Set while pages are read for {@linkcode Journal.isNext}. Never rejects. */
  #searching: Promise<void> | undefined;

  /**
   * @param claimed The journal as the claim returned it.
   * @param load Reads the page after a sequence number.
   * @param onDelivered Called when nothing is left to deliver for the moment.
   */
  constructor(
    claimed: Pick<Claimed, "journal" | "open">,
    load: (after: number) => Promise<JournalPage>,
    onDelivered: () => void,
  ) {
    this.#load = load;
    this.#onDelivered = onDelivered;
    for (const entry of claimed.open) {
      this.#open.set(entry.position, entry);
      this.#unasked.set(entry.position, { label: entry.label, recorded: "open" });
    }
    this.#add(claimed.journal);
  }

  /** Takes the next position for a call. */
  take(receiver: OutcomeReceiver): number {
    const position = this.#nextPosition++;
    this.receivers.set(position, receiver);
    return position;
  }

  /**
   * Returns what is recorded at a position. It returns a promise only if a page of the journal must
   * be read first. An outcome that is recorded there is delivered later.
   */
  ask(position: number, label: string): Recorded | Difference | Promise<Recorded | Difference> {
    const entry = this.#unasked.get(position);
    if (entry && entry.label !== label) return { position, expected: entry.label, actual: label };
    this.#unasked.delete(position);
    if (entry?.recorded === "complete") {
      this.#deliver();
      return "complete";
    }
    if (!this.#more) return entry?.recorded ?? "new";
    return new Promise((resolve, reject) => {
      this.#asks.set(position, { label, isOpen: entry !== undefined, resolve, reject });
      this.#deliver();
    });
  }

  /**
   * Returns the label that is recorded at the next free position. It returns a promise only if a
   * page of the journal must be read first.
   */
  nextLabel(): string | undefined | Promise<string | undefined> {
    const entry = this.#unasked.get(this.#nextPosition);
    if (entry || !this.#more) return entry?.label;
    return this.#loadPage().then(() => this.nextLabel());
  }

  /**
   * Whether an operation with this label has the next free position, or may take it as a new one. It
   * must be an operation that is recorded before all operations that the code calls later. So if
   * the position has no entry but a later one does, an earlier run called another operation there.
   *
   * It returns a promise only if a page of the journal must be read first. Nothing is delivered until
   * the code has got the answer, so that the code continues as it would without pages.
   */
  isNext(label: string): boolean | Promise<boolean> {
    const decide = (found: string | undefined) => found === undefined ? !this.hasLater : found === label;
    const found = this.nextLabel();
    if (!(found instanceof Promise)) return decide(found);
    const searched = () => this.#searching = undefined;
    this.#searching = found.then(searched, searched);
    this.#deliver();
    return found.then(decide);
  }

  /** Whether the pages read so far have an entry after the next free position. */
  get hasLater(): boolean {
    return [...this.#unasked.keys()].some((position) => position > this.#nextPosition);
  }

  /** Whether the journal has, or may have, an entry that the code has not asked for yet. */
  get hasUnasked(): boolean {
    return this.#unasked.size > 0 || this.#more;
  }

  /** The wait at a position that began before this run. */
  openAt(position: number): OpenEntry | undefined {
    return this.#open.get(position);
  }

  /** Adds an outcome that this run has just recorded. */
  add(position: number, outcome: Outcome): void {
    this.#live.push({ position, outcome });
    this.#deliver();
  }

  /** Rejects all operations whose outcomes were not delivered. */
  failAll(error: unknown): void {
    const receivers = [...this.receivers.values()];
    this.receivers.clear();
    for (const { reject } of receivers) reject(error);
  }

  /** Ends all deliveries, because the code is abandoned. */
  stop(): void {
    this.receivers.clear();
    this.#asks.clear();
    this.#recorded.length = 0;
    this.#live.length = 0;
  }

  /** Whether the journal is delivering outcomes, or reading pages for that. */
  get delivering(): boolean {
    return this.#delivering;
  }

  /**
   * Returns the entry with the lowest position that the code has not asked for, as a difference.
   * Called when the code cannot ask for more.
   */
  async firstUnasked(actual: string): Promise<Difference | undefined> {
    while (this.#unasked.size === 0 && this.#more) await this.#loadPage();
    if (this.#unasked.size === 0) return undefined;
    const [position, { label }] = [...this.#unasked].reduce((first, entry) => entry[0] < first[0] ? entry : first);
    return { position, expected: label, actual };
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    void this.#deliverAll().then(() => this.#onDelivered());
  }

  async #deliverAll(): Promise<void> {
    for (;;) {
      // Even the first delivery waits for a later task, because the code may be about to call more
      // operations.
      await nextTask();
      if (this.#searching) {
        await this.#searching;
        continue;
      }
      const next = this.#nextDelivery();
      if (next) {
        const receiver = this.receivers.get(next.position);
        this.receivers.delete(next.position);
        const settling = receiver?.settle(next.outcome);
        if (settling) await settling;
      } else if (this.#asks.size > 0) {
        await this.#loadPage().catch((error) => this.#rejectAsks(error));
      } else {
        break;
      }
    }
    this.#delivering = false;
  }

  /**
   * Returns the next outcome to deliver. A recorded outcome that the code has not asked for yet
   * holds back all later ones.
   */
  #nextDelivery(): { position: number; outcome: Outcome } | undefined {
    const [first] = this.#recorded;
    if (!first) return this.#live.shift();
    return this.#unasked.has(first.position) ? undefined : this.#recorded.shift();
  }

  #loadPage(): Promise<void> {
    this.#loading ??= this.#load(this.#lastSeq).then((page) => this.#add(page)).finally(() =>
      this.#loading = undefined
    );
    return this.#loading;
  }

  #add({ entries, more }: JournalPage): void {
    this.#more = more;
    for (const entry of entries) {
      this.#recorded.push(entry);
      this.#lastSeq = entry.seq;
      const { position } = entry;
      const { label } = splitLabel(entry.label);
      const ask = this.#asks.get(position);
      if (ask) this.#answer(position, label, ask);
      else this.#unasked.set(position, { label, recorded: "complete" });
    }
    if (more) return;
    for (const { isOpen, resolve } of this.#asks.values()) resolve(isOpen ? "open" : "new");
    this.#asks.clear();
  }

  #answer(position: number, label: string, ask: Ask): void {
    this.#asks.delete(position);
    ask.resolve(label === ask.label ? "complete" : { position, expected: label, actual: ask.label });
  }

  #rejectAsks(error: unknown): void {
    for (const { reject } of this.#asks.values()) reject(error);
    this.#asks.clear();
  }
}

/**
 * One request to a script: its keys, its values, and one JSON document that says which is which.
 *
 * `KEYS` has every key that the script may touch, and the document refers to them by their place, from 1. `ARGV[1]` is the document, the values follow:
 * inputs, messages and outcomes travel as they are, and not as JSON in JSON.
 *
 * @module
 */

import { STATUSES } from "../../core/driver/statuses.ts";
import type { Index, Keys, OwnKind, SharedKind } from "./keys.ts";

/** Every status of an ended workflow. */
export const ENDED: readonly Index[] = STATUSES.filter((status) => status !== "ENQUEUED" && status !== "PENDING");

/** What a workflow is to a script: its ID, the places of its keys, and what else a script needs to know of it. */
type WorkflowPart = { readonly id: string; topics?: string[]; place?: string } & Partial<Record<OwnKind, number>>;

/** A request in the making. */
export class ScriptRequest {
  readonly #keys: Keys;
  readonly #places = new Map<string, number>();
  readonly #values: string[] = [];
  readonly #shared: Partial<Record<SharedKind, number>> = {};
  readonly #workflows = new Map<string, WorkflowPart & { readonly index: number }>();

  /**
   * Begins a request.
   *
   * @param keys The names of keys.
   * @param shared The shared keys that it touches.
   */
  constructor(keys: Keys, ...shared: readonly SharedKind[]) {
    this.#keys = keys;
    this.share(...shared);
  }

  /** Declares shared keys. */
  share(...kinds: readonly SharedKind[]): void {
    for (const kind of kinds) this.#shared[kind] = this.key(this.#keys.shared(kind));
  }

  /** Declares when workflows are due. Every script that writes needs it. */
  shareSchedule(): void {
    this.share("due", "leased", "schedule");
  }

  /** Declares indexes. */
  shareIndexes(...indexes: readonly Index[]): void {
    for (const index of indexes) this.share(`index/${index}`, `named/${index}`);
  }

  /** Declares where ended workflows are. With a retention, a script may also take some expired workflows out of their indexes. */
  shareEnded(retention: number | undefined): void {
    this.share("ended", "expiring", "families");
    if (retention !== undefined) this.shareIndexes(...ENDED);
  }

  /** Declares keys of a workflow. Returns its place among the workflows of the request, from 1. */
  workflow(id: string, ...kinds: readonly OwnKind[]): number {
    const part = this.#part(id);
    for (const kind of ["row", ...kinds] as const) part[kind] = this.key(this.#keys.own(id, kind));
    return part.index;
  }

  /** Declares the queues of a workflow. */
  queues(id: string, topics: readonly string[]): number {
    const index = this.workflow(id, "inbox", "sent");
    const part = this.#part(id);
    part.topics = [...new Set([...part.topics ?? [], ...topics])];
    return index;
  }

  /** Tells where an ended workflow is among those that ended. */
  place(id: string, place: string): void {
    this.#part(id).place = place;
  }

  /** Declares a key. */
  key(name: string): number {
    const place = this.#places.get(name) ?? this.#places.size + 1;
    this.#places.set(name, place);
    return place;
  }

  /** Adds a value, if there is one. */
  value(text: string | null | undefined): number | undefined {
    return text === null || text === undefined ? undefined : this.#values.push(text) + 1;
  }

  /** The arguments of `EVAL` and `EVALSHA` after the script. */
  arguments(document: object): string[] {
    const workflows = Array.from(this.#workflows.values(), ({ index: _, ...part }) => part);
    const whole = { channel: this.#keys.channel, keys: this.#shared, workflows, ...document };
    return [String(this.#places.size), ...this.#places.keys(), JSON.stringify(whole), ...this.#values];
  }

  #part(id: string): WorkflowPart & { readonly index: number } {
    const part = this.#workflows.get(id) ?? { id, index: this.#workflows.size + 1 };
    this.#workflows.set(id, part);
    return part;
  }
}

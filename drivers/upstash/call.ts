/**
 * One request to a script: its keys, its values, and one JSON document that says which is which.
 *
 * `KEYS` has every key that the script may touch, and the document refers to them by their place, from 1. `ARGV[1]` is the document, the values follow:
 * inputs, messages and outcomes travel as they are, and not as JSON in JSON.
 *
 * @module
 */

import type { Keys } from "./keys.ts";
import { SEGMENT_SIZE } from "./keys.ts";

/** Keys that follow each other in `KEYS`: `count` of them, the first at `at`. */
export interface KeyRange {
  readonly at: number;
  readonly count: number;
}

/** The keys of the segments `from`, `from + 1`, and so on. */
export interface SegmentRange extends KeyRange {
  readonly from: number;
}

/** What a workflow is to a script: its ID and the place of its row. Parts of a call add the places of what else they need. */
export interface WorkflowPart {
  readonly id: string;
  readonly row: number;
}

/** A request in the making. */
export class Call {
  readonly keys: Keys;
  readonly #names: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #values: string[] = [];
  readonly #workflows: WorkflowPart[] = [];
  readonly #workflowPlaces = new Map<string, number>();

  constructor(keys: Keys) {
    this.keys = keys;
  }

  /** Declares a key. */
  key(name: string): number {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    this.#names.push(name);
    this.#places.set(name, this.#names.length);
    return this.#names.length;
  }

  /** Declares keys, also such as have been declared, next to each other. */
  range(names: readonly string[]): KeyRange {
    const at = this.#names.length + 1;
    for (const name of names) {
      this.#names.push(name);
      this.#places.set(name, this.#names.length);
    }
    return { at, count: names.length };
  }

  /** Declares segments, both ends included. */
  segments(first: number, last: number, nameOf: (segment: number) => string): SegmentRange {
    const names = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => nameOf(first + index));
    return { from: first, ...this.range(names) };
  }

  /** Declares the segments of `count` items from a place on. */
  items(place: number, count: number, nameOf: (segment: number) => string): SegmentRange {
    return this.segments(segmentOf(place), count > 0 ? segmentOf(place + count - 1) : segmentOf(place) - 1, nameOf);
  }

  /** Adds a value. */
  value(text: string): number {
    this.#values.push(text);
    return this.#values.length + 1;
  }

  /** Adds a value, if there is one. */
  optional(text: string | null | undefined): number | undefined {
    return text === null || text === undefined ? undefined : this.value(text);
  }

  /** The place of a workflow among {@linkcode Call.workflows}, from 1; the same one for the same ID. */
  workflow(id: string): number {
    const known = this.#workflowPlaces.get(id);
    if (known !== undefined) return known;
    this.#workflows.push({ id, row: this.key(this.keys.workflow(id)) });
    this.#workflowPlaces.set(id, this.#workflows.length);
    return this.#workflows.length;
  }

  /** All workflows of the call, in the order in which they were first named. */
  get workflows(): readonly WorkflowPart[] {
    return this.#workflows;
  }

  /** The arguments of `EVAL` and `EVALSHA` after the script. */
  arguments(document: object): string[] {
    return [String(this.#names.length), ...this.#names, JSON.stringify(document), ...this.#values];
  }
}

/** The segment of an entry or a value. */
export function segmentOf(place: number): number {
  return Math.floor(place / SEGMENT_SIZE);
}

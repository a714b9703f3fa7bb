/**
 * An observer that records everything that it is told.
 *
 * @module
 */

import type { Observer } from "../../../core/observer.ts";

/** Something that was observed, with what it contains. */
export interface Recorded {
  /** The method that was called. */
  readonly method: string;
  /** The argument of the method. */
  readonly begin: Record<string, unknown>;
  /** The argument of `end`, once it was called. */
  end?: Record<string, unknown>;
  /** How often `end` was called. */
  ends: number;
  readonly inside: Recorded[];
}

/** A trace, with a span of its own for each number. */
export function trace(span: number): string {
  return `00-0af7651916cd43dd8448eb211c80319c-${String(span).padStart(16, "0")}-01`;
}

/** Records what an observer is told. What is sent gets the traces 1, 2, 3, and so on. */
export function recording(): { observer: Observer; recorded: Recorded[] } {
  let spans = 0;
  // deno-lint-ignore no-explicit-any -- one function stands for all methods
  type Method = (begin: any) => any;
  const method = (name: string, into: Recorded[], nested: readonly string[] = [], sends = false): Method => (begin) => {
    const entry: Recorded = { method: name, begin, ends: 0, inside: [] };
    into.push(entry);
    return {
      end: (end: Record<string, unknown>) => (entry.end = end, void entry.ends++),
      ...(sends && { traceparent: trace(++spans) }),
      ...Object.fromEntries(nested.map((it) => [it, NESTED[it]!(entry.inside)])),
    };
  };
  const NESTED: Record<string, (into: Recorded[]) => unknown> = {
    within: () => (code: () => void) => code(),
    onOperation: (into) => (begin: { kind: string }) =>
      method("onOperation", into, [], begin.kind === "send" || begin.kind === "start")(begin),
    onStep: (into) => method("onStep", into, ["within", "onSend"]),
    onSend: (into) => method("onSend", into, [], true),
    onCommit: (into) => method("onCommit", into),
  };
  const recorded: Recorded[] = [];
  const observer: Observer = {
    onStart: method("onStart", recorded, [], true),
    onSend: method("onSend", recorded, [], true),
    onRun: method("onRun", recorded, ["within", "onOperation", "onStep", "onCommit"]),
    onSweep: method("onSweep", recorded),
    onRequest: method("onRequest", recorded),
  };
  return { observer, recorded };
}

/** Everything of one method, however deep. */
export function all(recorded: readonly Recorded[], method: string): Recorded[] {
  return recorded.flatMap((it) => [...(it.method === method ? [it] : []), ...all(it.inside, method)]);
}

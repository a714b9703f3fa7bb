/**
 * Contexts that hold the parent of a span. They are made here, so that no copy of OpenTelemetry's API
 * is needed, which might be newer than the one that registered a provider.
 *
 * @module
 */

import type { OtelContext, OtelSpan, OtelSpanContext } from "./api.ts";

/** The key by which every version 1 of the API finds the span of a context. */
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

/** A context with a few values. */
class Values implements OtelContext {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: Iterable<readonly [symbol, unknown]> = []) {
    this.#values = new Map(values);
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): OtelContext {
    return new Values([...this.#values, [key, value]]);
  }

  deleteValue(key: symbol): OtelContext {
    return new Values([...this.#values].filter(([it]) => it !== key));
  }
}

/** A context without a span. A span that is started in it begins a trace. */
export const NO_PARENT: OtelContext = new Values();

/** Returns a context in which the span is the parent. */
export function parentOf(span: OtelSpan, base: OtelContext = NO_PARENT): OtelContext {
  return base.setValue(SPAN, span);
}

/** Returns the span of a context. */
export function spanOf(context: OtelContext | undefined): OtelSpan | undefined {
  return context?.getValue(SPAN) as OtelSpan | undefined;
}

/** Returns the span that a `traceparent` names, for a context or a link. */
export function toSpanContext(traceparent: string): OtelSpanContext {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

/** Returns the `traceparent` of a span. */
export function toTraceparentOf({ traceId, spanId, traceFlags }: OtelSpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}`;
}

/** Returns a context in which a span of another process is the parent. */
export function remoteParent(traceparent: string): OtelContext {
  const context = toSpanContext(traceparent);
  const span: OtelSpan & { isRecording(): boolean } = {
    spanContext: () => context,
    setAttribute: () => span,
    setStatus: () => span,
    end: () => {},
    isRecording: () => false,
  };
  return parentOf(span);
}

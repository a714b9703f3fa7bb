/**
 * The parts of OpenTelemetry's API that are used here. Types only, so any version of the API from 1.3
 * on fits, and none is loaded.
 *
 * @module
 */

/**
 * The value of an attribute.
 *
 * @category OpenTelemetry
 */
export type OtelAttributeValue = string | number | boolean | string[];

/**
 * The attributes of a span or a measurement.
 *
 * @category OpenTelemetry
 */
export type OtelAttributes = Record<string, OtelAttributeValue>;

/**
 * The identity of a span, as in `SpanContext` of `@opentelemetry/api`.
 *
 * @category OpenTelemetry
 */
export interface OtelSpanContext {
  /** The ID of the trace, in 32 hexadecimal digits. */
  traceId: string;
  /** The ID of the span, in 16 hexadecimal digits. */
  spanId: string;
  /** The flags of W3C Trace Context. 1: the trace is sampled. */
  traceFlags: number;
  /** Whether the span is of another process. */
  isRemote?: boolean;
}

/**
 * A link from a span to another span.
 *
 * @category OpenTelemetry
 */
export interface OtelLink {
  /** The other span. */
  context: OtelSpanContext;
}

/**
 * A span, as in `Span` of `@opentelemetry/api`.
 *
 * @category OpenTelemetry
 */
export interface OtelSpan {
  /** Returns its identity. */
  spanContext(): OtelSpanContext;
  /** Sets an attribute. */
  setAttribute(key: string, value: OtelAttributeValue): unknown;
  /** Sets its status. 2: an error. */
  setStatus(status: { code: number }): unknown;
  /** Adds a link. Versions of the API before 1.9 have no such method. */
  addLink?(link: OtelLink): unknown;
  /** Ends it. */
  end(): void;
}

/**
 * A context, as in `Context` of `@opentelemetry/api`.
 *
 * @category OpenTelemetry
 */
export interface OtelContext {
  /** Returns the value of a key. */
  getValue(key: symbol): unknown;
  /** Returns a context with another value of the key. */
  setValue(key: symbol, value: unknown): OtelContext;
  /** Returns a context without the key. */
  deleteValue(key: symbol): OtelContext;
}

/**
 * Options of a new span.
 *
 * @category OpenTelemetry
 */
export interface OtelSpanOptions {
  /** The kind. 0: internal, 3: producer, 4: consumer. */
  kind?: number;
  /** Its first attributes. */
  attributes?: OtelAttributes;
  /** Its links. */
  links?: OtelLink[];
}

/**
 * A tracer, as in `Tracer` of `@opentelemetry/api`.
 *
 * @category OpenTelemetry
 */
export interface OtelTracer {
  /** Starts a span. Its parent is the span of the context, by default of the active context. */
  startSpan(name: string, options?: OtelSpanOptions, context?: OtelContext): OtelSpan;
  /** Starts a span, and calls a function while the span is active. */
  startActiveSpan<F extends (span: OtelSpan) => unknown>(
    name: string,
    options: OtelSpanOptions,
    context: OtelContext,
    fn: F,
  ): ReturnType<F>;
}

/**
 * Options of a new instrument.
 *
 * @category OpenTelemetry
 */
export interface OtelInstrumentOptions {
  /** The unit, such as `s`. */
  unit?: string;
  /** What it measures. */
  description?: string;
  /** Advice for its aggregation. */
  advice?: {
    /** The boundaries of the buckets. */
    explicitBucketBoundaries?: number[];
  };
}

/**
 * A meter, as in `Meter` of `@opentelemetry/api`.
 *
 * @category OpenTelemetry
 */
export interface OtelMeter {
  /** Creates a counter. */
  createCounter(name: string, options?: OtelInstrumentOptions): {
    add(value: number, attributes?: OtelAttributes): void;
  };
  /** Creates a histogram. */
  createHistogram(name: string, options?: OtelInstrumentOptions): {
    record(value: number, attributes?: OtelAttributes): void;
  };
}

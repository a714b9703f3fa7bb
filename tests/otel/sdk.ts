/**
 * The SDK of OpenTelemetry, with exporters in memory.
 *
 * @module
 */

import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { delay, systemClock } from "../../core/time/clock.ts";
import type { OtelMeter, OtelTracer } from "../../otel/mod.ts";

/** A span, as far as the tests look at it. */
export interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly attributes: Record<string, unknown>;
  /** The IDs of the spans to which it has links. */
  readonly links: readonly string[];
  readonly failed: boolean;
}

/** A measurement: the metric, its attributes, and its count or sum. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly attributes: Record<string, unknown>;
  /** The sum of a counter, or the number of measurements of a histogram. */
  readonly value: number;
}

/** A tracer and a meter that export to memory. */
export interface Sdk extends AsyncDisposable {
  readonly tracer: OtelTracer;
  readonly meter: OtelMeter;
  spans(): Span[];
  /** All that was exported, as the SDK has it. */
  everything(): Promise<unknown>;
  measured(): Promise<Measured[]>;
}

/** Starts the SDK. Nothing is registered with the global API. */
export function startSdk(): Sdk {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  let meters: MeterProvider | undefined;
  const exported = async () => {
    await meters?.forceFlush();
    const last = metrics.getMetrics().at(-1);
    return last?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  };
  return {
    tracer: provider.getTracer("tests"),
    // Made when it is asked for, because a reader without measurements leaves timers behind.
    get meter() {
      // Only `forceFlush` exports.
      const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 2 ** 30 });
      meters ??= new MeterProvider({ readers: [reader] });
      return meters.getMeter("tests");
    },
    spans: () => exporter.getFinishedSpans().map(toSpan),
    everything: async () => [exporter.getFinishedSpans(), await exported()],
    measured: async () =>
      (await exported()).flatMap(({ descriptor: { name, unit }, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => ({
          name,
          unit,
          attributes,
          value: typeof value === "number" ? value : (value as { count: number }).count,
        }))
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([provider.shutdown(), meters?.shutdown()]);
      // The exporter of spans acknowledges each span in a timer of 0 ms.
      await delay(systemClock, 5);
    },
  };
}

function toSpan(span: ReadableSpan): Span {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    kind: span.kind,
    traceId,
    spanId,
    parentId: span.parentSpanContext?.spanId,
    attributes: span.attributes,
    links: span.links.map(({ context }) => context.spanId),
    failed: span.status.code === 2,
  };
}

/**
 * Traces and metrics of a `Parley` for OpenTelemetry.
 *
 * @module
 */

import type { Observer } from "../core/observer.ts";
import type { OtelContext, OtelMeter, OtelTracer } from "./api.ts";
import { Metrics } from "./metrics.ts";
import { observeRun, observeSend, type Sinks } from "./observed_run.ts";
import { NO_PARENT, remoteParent, spanOf, toSpanContext, toTraceparentOf } from "./parent.ts";
import { endSpan, runSpan, ScopedSpan, startSpan, sweepSpan } from "./spans.ts";

export type * from "./api.ts";

/**
 * Options of {@linkcode otel}.
 *
 * @category OpenTelemetry
 */
export interface OtelOptions {
  /** Makes the spans, such as `trace.getTracer("shop")` of `@opentelemetry/api`. Default no spans. */
  tracer?: OtelTracer;
  /** Makes the metrics, such as `metrics.getMeter("shop")`. Default no metrics. */
  meter?: OtelMeter;
  /**
   * The `context` of `@opentelemetry/api`, if a context manager is registered. Then a `traceparent`
   * that a caller gives, such as that of an HTTP request, gives way to an active span of the same
   * trace, which is nearer. Default none.
   */
  context?: { active(): OtelContext };
  /**
   * How the runs of a workflow refer to its start.
   *
   * - `"child"`, the default: they belong to the same trace, as children.
   * - `"link"`: each run begins a trace, and has a link to the start. It suits workflows that live
   *   for days.
   */
  runs?: "child" | "link";
}

/**
 * Makes an observer that records spans and metrics with OpenTelemetry. The guide `docs/telemetry.md`
 * lists them.
 *
 * It loads no copy of OpenTelemetry's API. It uses the tracer and the meter that it gets, from any
 * version of the API from 1.3 on. Parents are passed explicitly, so it needs no context manager. If
 * there is one, the spans of a workflow and of its steps are active while their code runs.
 *
 * @param options The tracer and the meter.
 * @returns The observer, for `ParleyOptions.observer`.
 *
 * @example Spans of a workflow, in memory
 * ```ts
 * import { memoryDriver, Parley, workflow } from "@parley/parley";
 * import { otel } from "@parley/parley/otel";
 * import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
 * import assert from "node:assert/strict";
 *
 * const exporter = new InMemorySpanExporter();
 * const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
 * const observer = otel({ tracer: provider.getTracer("shop") });
 *
 * const greet = workflow("greet", (ctx, name: string) => ctx.step("write", () => `Hello ${name}`));
 * await using parley = new Parley({ driver: memoryDriver(), workflows: [greet], observer });
 * await (await parley.start(greet, "Ada")).result();
 * await parley.idle();
 * const names = exporter.getFinishedSpans().map(({ name }) => name);
 * assert.deepEqual(names.toSorted(), ["run greet", "start greet", "step write"]);
 * ```
 *
 * @category OpenTelemetry
 */
export function otel(options: OtelOptions = {}): Observer {
  const { tracer, meter, context, runs = "child" } = options;
  const metrics = meter && new Metrics(meter);
  const sinks: Sinks = { tracer, metrics };
  /** The context of a caller. `undefined` is the active one. */
  const callerOf = (traceparent: string | undefined): OtelContext | undefined => {
    if (traceparent === undefined) return undefined;
    const active = context?.active();
    const isNearer = spanOf(active)?.spanContext().traceId === toSpanContext(traceparent).traceId;
    return isNearer ? active : remoteParent(traceparent);
  };
  return {
    onStart({ workflowId, name, traceparent }) {
      const start = startSpan(workflowId, name);
      const span = tracer?.startSpan(start.name, start.options, callerOf(traceparent));
      return {
        traceparent: span && toTraceparentOf(span.spanContext()),
        end({ created, error }) {
          endSpan(span, { "parley.workflow.created": created }, error);
          if (created) metrics?.started(name);
        },
      };
    },
    onSend: (send) => observeSend(sinks, send, callerOf(send.messages[0]?.traceparent), false),
    onRun(run) {
      const { traceparent } = run;
      const links = runs === "link" && traceparent !== undefined ? [{ context: toSpanContext(traceparent) }] : [];
      const parent = runs === "link" || traceparent === undefined ? NO_PARENT : remoteParent(traceparent);
      return observeRun(sinks, run, new ScopedSpan(tracer, runSpan(run, links), parent));
    },
    onSweep({ limit }) {
      const start = sweepSpan(limit);
      const span = tracer?.startSpan(start.name, start.options);
      return {
        end(end) {
          const { claimed, finished, suspended, error } = end;
          endSpan(span, {
            "parley.sweep.claimed": claimed,
            "parley.sweep.finished": finished,
            "parley.sweep.suspended": suspended,
          }, error);
          metrics?.sweep(end, {});
        },
      };
    },
    ...(metrics && {
      onRequest: ({ method }) => ({ end: (end) => metrics.request(end, { "parley.driver.method": method }) }),
    } satisfies Observer),
  };
}

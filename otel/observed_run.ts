/**
 * The spans and metrics of one run.
 *
 * @module
 */

import type {
  CommitEnd,
  EndObserver,
  ObservedCommit,
  ObservedOperation,
  ObservedRun,
  ObservedSend,
  ObservedStep,
  OperationEnd,
  RunEndInfo,
  RunObserver,
  SendEnd,
  SendObserver,
  StepObserver,
} from "../core/observer.ts";
import type { OtelContext, OtelLink, OtelTracer } from "./api.ts";
import type { Metrics } from "./metrics.ts";
import { toSpanContext, toTraceparentOf } from "./parent.ts";
import { endSpan, operationSpan, ScopedSpan, sendSpan, stepSpan } from "./spans.ts";

/** Operations that may wait. */
const WAITS = new Set<string>(["sleep", "recv", "recvAny", "getEvent", "result"]);
/** Outcomes that are errors to whoever reads a trace. A timeout is often expected. */
const REFUSALS = new Set<string>([
  "error",
  "workflow_not_found",
  "workflow_ended",
  "idempotency_conflict",
  "workflow_conflict",
]);

/** Where the spans and metrics go. */
export interface Sinks {
  readonly tracer: OtelTracer | undefined;
  readonly metrics: Metrics | undefined;
}

/** Follows a run. */
export function observeRun(sinks: Sinks, run: ObservedRun, span: ScopedSpan): RunObserver {
  const { metrics } = sinks;
  const workflow = { "parley.workflow.name": run.name };
  return {
    within: (code) => span.within(code),
    onOperation: (operation) => observeOperation(sinks, operation, run.name, span),
    onStep: (step) => observeStep(sinks, step, run.name, span.context),
    onCommit: ({ transition }: ObservedCommit): EndObserver<CommitEnd> => ({
      end: (end) => metrics?.commit(end, { "parley.commit.transition": transition, "parley.commit.state": end.state }),
    }),
    end(info: RunEndInfo) {
      const { end, status, error } = info;
      const ends = { "parley.run.end": end, "parley.workflow.status": status };
      span.end(ends, error);
      metrics?.run(info, { ...workflow, ...ends });
    },
  };
}

function observeOperation(
  { tracer, metrics }: Sinks,
  operation: ObservedOperation,
  workflow: string,
  run: ScopedSpan,
): SendObserver<OperationEnd> | void {
  const start = operationSpan(operation);
  if (!start) return;
  const { kind, traceparent, name } = operation;
  const span = tracer?.startSpan(
    start.name,
    traceparent === undefined ? start.options : { ...start.options, links: [{ context: toSpanContext(traceparent) }] },
    run.context,
  );
  const end = (end: OperationEnd) => {
    const { outcome, topic = "", traceparent: sender } = end;
    if (sender !== undefined) {
      const link = { context: toSpanContext(sender) };
      span?.addLink?.(link);
      run.link(link);
    }
    const error = end.error ?? (REFUSALS.has(outcome) ? outcome : undefined);
    endSpan(span, {
      "parley.operation.outcome": outcome,
      ...(topic !== "" && { "messaging.destination.name": topic }),
    }, error);
    if (WAITS.has(kind)) {
      metrics?.wait(end, {
        "parley.workflow.name": workflow,
        "parley.operation.kind": kind,
        "parley.operation.outcome": outcome,
      });
    }
    if (outcome === "message") metrics?.received(kind, topic);
    if (kind === "send" && outcome !== "left") {
      const failed = error === undefined ? end : { ...end, error };
      metrics?.sent(outcome === "sent" ? 1 : 0, failed, String(name ?? ""));
    }
    if (kind === "start" && outcome === "done") metrics?.started(String(name));
  };
  return { end, traceparent: span && toTraceparentOf(span.spanContext()) };
}

function observeStep(sinks: Sinks, step: ObservedStep, workflow: string, parent: OtelContext): StepObserver {
  const span = new ScopedSpan(sinks.tracer, stepSpan(step), parent);
  return {
    within: (code) => span.within(code),
    onSend: (send) => observeSend(sinks, send, span.context, true),
    end(end) {
      const { outcome, error } = end;
      span.end({ "parley.step.outcome": outcome }, error);
      sinks.metrics?.step(end, {
        "parley.workflow.name": workflow,
        "parley.step.name": step.name,
        "parley.step.outcome": outcome,
      });
    },
  };
}

/**
 * Follows messages that are sent together.
 *
 * @param parent The context of the parent. Without one, it is the active context.
 * @param isInside Whether a workflow's code sends them, so that there are few topics.
 */
export function observeSend(
  { tracer, metrics }: Sinks,
  { messages }: ObservedSend,
  parent: OtelContext | undefined,
  isInside: boolean,
): SendObserver<SendEnd> {
  const { name, options } = sendSpan(messages);
  const given = [...new Set(messages.flatMap(({ traceparent }) => traceparent ?? []))];
  // Outside of workflows, the first one that the caller gives is the parent.
  const linked = given.slice(isInside ? 0 : 1);
  const links = linked.map((traceparent): OtelLink => ({ context: toSpanContext(traceparent) }));
  const span = tracer?.startSpan(name, { ...options, links }, parent);
  return {
    traceparent: span && toTraceparentOf(span.spanContext()),
    end(end) {
      const { messageIds, error } = end;
      endSpan(span, { ...(messageIds.length === 1 && { "messaging.message.id": messageIds[0]! }) }, error);
      metrics?.sent(messageIds.length, end, isInside ? messages[0]?.topic ?? "" : "");
    },
  };
}

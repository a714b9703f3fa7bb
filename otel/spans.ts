/**
 * The spans of what is observed, with their names, kinds and attributes.
 *
 * @module
 */

import type { Ended, ObservedMessage, ObservedOperation, ObservedRun } from "../core/observer.ts";
import type { OtelAttributes, OtelContext, OtelLink, OtelSpan, OtelSpanOptions, OtelTracer } from "./api.ts";
import { NO_PARENT, parentOf } from "./parent.ts";

const INTERNAL = 0;
const PRODUCER = 3;
const CONSUMER = 4;
const STATUS_ERROR = 2;

/** The name and the options of a span. */
export interface SpanStart {
  readonly name: string;
  readonly options: OtelSpanOptions;
}

/** The span of a call of `start`, from outside or in a workflow. */
export function startSpan(workflowId: string, name: string): SpanStart {
  const attributes = { "parley.workflow.name": name, "parley.workflow.id": workflowId };
  return { name: `start ${name}`, options: { kind: PRODUCER, attributes } };
}

/** The span of messages that are sent together. */
export function sendSpan(messages: readonly ObservedMessage[]): SpanStart {
  const topics = [...new Set(messages.map(({ topic }) => topic))];
  const destinations = [...new Set(messages.map(({ destinationId }) => destinationId))];
  const topic = topics.length === 1 ? topics[0]! : "";
  return {
    name: named("send", topic),
    options: {
      kind: PRODUCER,
      attributes: {
        ...messaging("send", "send", topic),
        ...(messages.length > 1 && { "messaging.batch.message_count": messages.length }),
        ...(destinations.length === 1 && { "parley.workflow.id": destinations[0]! }),
      },
    },
  };
}

/** The span of a run. */
export function runSpan(run: ObservedRun, links: OtelLink[]): SpanStart {
  return {
    name: `run ${run.name}`,
    options: {
      kind: CONSUMER,
      links,
      attributes: {
        "parley.workflow.name": run.name,
        "parley.workflow.id": run.workflowId,
        "parley.run.epoch": run.epoch,
        "parley.run.recovery_attempts": run.recoveryAttempts,
      },
    },
  };
}

/** The span of a try of a step. */
export function stepSpan(step: { name: string; position: number; attempt: number }): SpanStart {
  return {
    name: `step ${step.name}`,
    options: {
      kind: INTERNAL,
      attributes: {
        "parley.step.name": step.name,
        "parley.step.attempt": step.attempt,
        "parley.position": step.position,
      },
    },
  };
}

/** The span of a sweep. */
export function sweepSpan(limit: number): SpanStart {
  return { name: "sweep", options: { kind: INTERNAL, attributes: { "parley.sweep.limit": limit } } };
}

/**
 * The span of an operation; `undefined` for the kinds that have none. The tries of a step have spans
 * of their own, and values that are only written are part of a commit.
 */
export function operationSpan(operation: ObservedOperation): SpanStart | undefined {
  const { position, kind, resumed, workflowId } = operation;
  const names = [operation.name ?? []].flat();
  const start = toOperationSpan(kind, names, workflowId);
  if (!start) return undefined;
  const attributes = {
    ...start.options.attributes,
    "parley.position": position,
    ...(resumed && { "parley.operation.resumed": true }),
    ...(workflowId !== undefined && { "parley.workflow.id": workflowId }),
  };
  return { ...start, options: { ...start.options, attributes } };
}

function toOperationSpan(kind: string, names: readonly string[], workflowId = ""): SpanStart | undefined {
  const [name = ""] = names;
  switch (kind) {
    case "send":
      return sendSpan([{ destinationId: workflowId, topic: name }]);
    case "start":
      return startSpan(workflowId, name);
    case "recv":
    case "recvAny":
      return {
        name: named(kind, names.join(", ")),
        options: { kind: CONSUMER, attributes: messaging(kind, "receive", names.length === 1 ? name : "") },
      };
    case "getEvent":
      return {
        name: named(kind, name),
        options: { kind: INTERNAL, attributes: { "parley.event.key": name } },
      };
    case "result":
    case "sleep":
      return { name: kind, options: { kind: INTERNAL, attributes: {} } };
    default:
      return undefined;
  }
}

function named(operation: string, name: string): string {
  return name === "" ? operation : `${operation} ${name}`;
}

/** The attributes of a messaging operation. A message without a topic has no destination name. */
export function messaging(name: string, type: "send" | "receive", topic: string): OtelAttributes {
  return {
    "messaging.system.name": "parley",
    "messaging.operation.name": name,
    "messaging.operation.type": type,
    ...(topic !== "" && { "messaging.destination.name": topic }),
  };
}

/** Ends a span. */
export function endSpan(span: OtelSpan | undefined, attributes: Partial<OtelAttributes>, error?: Ended["error"]): void {
  if (!span) return;
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) span.setAttribute(key, value);
  if (error !== undefined) {
    span.setAttribute("error.type", error);
    span.setStatus({ code: STATUS_ERROR });
  }
  span.end();
}

/** A span that begins when its code is called, because only then can a tracer make it active. */
export class ScopedSpan {
  readonly #tracer: OtelTracer | undefined;
  readonly #start: SpanStart;
  readonly #parent: OtelContext;
  #span: OtelSpan | undefined;

  constructor(tracer: OtelTracer | undefined, start: SpanStart, parent: OtelContext) {
    this.#tracer = tracer;
    this.#start = start;
    this.#parent = parent;
  }

  /** The span, as the parent of others. */
  get context(): OtelContext {
    return this.#span ? parentOf(this.#span) : NO_PARENT;
  }

  /** Calls code while the span is active. */
  within(code: () => void): void {
    if (!this.#tracer) return code();
    const { name, options } = this.#start;
    this.#tracer.startActiveSpan(name, options, this.#parent, (span) => {
      this.#span = span;
      code();
    });
  }

  /** Adds a link to a span that has ended before. */
  link(link: OtelLink): void {
    this.#span?.addLink?.(link);
  }

  /** Ends the span. */
  end(attributes: Partial<OtelAttributes>, error?: Ended["error"]): void {
    const { name, options } = this.#start;
    this.#span ??= this.#tracer?.startSpan(name, options, this.#parent);
    endSpan(this.#span, attributes, error);
  }
}

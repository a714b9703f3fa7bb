/**
 * The texts that a commit carries, by which it is cut.
 *
 * @module
 */

import type { Body } from "./operation.ts";
import type { Transition } from "../driver/driver.ts";

/** The value that an operation carries; empty if it has none. */
export function valueOf(body: Body): string {
  if (body.type === "setEvent" || body.type === "writeStream") return body.value;
  if (body.type === "record") return body.outcome.value ?? "";
  if (body.type === "send") return body.message.value;
  return body.type === "start" ? body.workflow.input : "";
}

/** All names that an operation carries. A thousand long ones may come to more than the values do. */
export function namesOf(label: string, body: Body): string {
  switch (body.type) {
    case "send":
      return label + body.message.destinationId + body.message.topic + body.message.dedupeKey;
    case "setEvent":
    case "writeStream":
    case "closeStream":
      return label + body.key;
    case "start":
      return label + body.workflow.workflowId + body.workflow.name;
    case "receive":
      return label + body.topics.join("");
    case "observeEvent":
      return label + body.workflowId + body.key;
    case "observeResult":
      return label + body.workflowId;
    default:
      return label;
  }
}

/** The value that a run leaves behind; empty if there is none. */
export function valueLeft(transition: Transition): string {
  if (transition.to === "park") return transition.problem;
  return transition.to === "end" ? transition.output ?? transition.error ?? "" : "";
}

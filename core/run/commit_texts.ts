/**
 * The texts that a commit carries. Their sizes decide how many operations fit into one commit.
 *
 * @module
 */

import type { EffectOrWait } from "./operation.ts";
import type { Transition } from "../driver/driver.ts";

/** The value that an operation carries; empty without one. */
export function valueOf(action: EffectOrWait): string {
  if (action.type === "setEvent" || action.type === "writeStream") return action.value;
  if (action.type === "record") return action.outcome.value ?? "";
  if (action.type === "send") return action.message.value;
  return action.type === "start" ? action.workflow.input : "";
}

/**
 * All names that an operation carries. They count too, because a thousand long names may be larger
 * than the values.
 */
export function namesOf(label: string, action: EffectOrWait): string {
  switch (action.type) {
    case "send":
      return label + action.message.destinationId + action.message.topic + action.message.dedupeKey;
    case "setEvent":
    case "writeStream":
    case "closeStream":
      return label + action.key;
    case "start":
      return label + action.workflow.workflowId + action.workflow.name;
    case "receive":
      return label + action.topics.join("");
    case "observeEvent":
      return label + action.workflowId + action.key;
    case "observeResult":
      return label + action.workflowId;
    default:
      return label;
  }
}

/** The value that a run leaves behind; empty without one. */
export function valueLeft(transition: Transition): string {
  if (transition.to === "park") return transition.problem;
  return transition.to === "end" ? transition.output ?? transition.error ?? "" : "";
}

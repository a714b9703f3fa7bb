/**
 * Which object has which workflow.
 *
 * @module
 */

import type {
  ClaimRequest,
  ClaimResult,
  CommitRequest,
  Driver,
  NewMessage,
  Operation,
  WatchTarget,
} from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";

/** Makes a call of the contract in the object with a name. */
export type CallObject = <Name extends "claim" | "commit" | "send">(
  object: string,
  method: Name,
  ...args: Parameters<Driver[Name]>
) => ReturnType<Driver[Name]>;

/** Options of {@linkcode Shards}. */
export interface ShardsOptions {
  /** The object for calls that name no workflow. */
  readonly name: string | undefined;
  readonly shard: ((workflowId: string) => string) | undefined;
}

/** Finds the objects of calls, and refuses what one object cannot do alone. */
export class Shards {
  readonly #options: ShardsOptions;

  constructor(options: ShardsOptions) {
    this.#options = options;
  }

  /** The object of a workflow. */
  of(workflowId: string): string {
    const { name, shard } = this.#options;
    if (!shard) return name!;
    const object: unknown = shard(workflowId);
    if (typeof object === "string" && object !== "") return object;
    throw new ValidationError(
      `Finding the object of a workflow: \`shard\` returned ${
        object === "" ? '""' : typeof object
      }, and must return a name`,
    );
  }

  /** The object for a call that names no workflow; `null` if there is none. */
  get own(): string | null {
    return this.#options.name ?? null;
  }

  /** As {@linkcode own}, for a call that needs an object. */
  ownFor(call: string): string {
    if (this.own !== null) return this.own;
    throw new ValidationError(
      `${call}: with \`shard\`, this concerns one object alone, and \`name\` must say which`,
    );
  }

  /** The object of a target; `null` if there is none. */
  ofTarget(target: WatchTarget): string | null {
    return target === "due" ? this.own : this.of(target.slice(target.indexOf(":") + 1));
  }

  /** Sends messages, all or none, so all to one object. */
  async send(call: CallObject, messages: readonly NewMessage[]): ReturnType<Driver["send"]> {
    const [first, ...others] = [...new Set(messages.map(({ destinationId }) => this.of(destinationId)))];
    if (first === undefined) return { state: "sent", receipts: [], woken: [] };
    if (others.length === 0) return await call(first, "send", messages);
    throw new ValidationError(
      `Sending ${messages.length} messages: the workflows are in ${others.length + 1} objects, and must be in one, ` +
        "because messages are sent all or none",
    );
  }

  /** Commits, if all workflows that the operations concern are in the object of the committing one. */
  async commit(call: CallObject, request: CommitRequest): ReturnType<Driver["commit"]> {
    const object = this.of(request.workflowId);
    for (const operation of this.#options.shard ? request.operations : []) {
      const other = otherWorkflow(operation);
      if (other === null || this.of(other) === object) continue;
      throw new ValidationError(
        `Committing ${operation.label}: the workflow ${JSON.stringify(other)} is in another object than ` +
          `${JSON.stringify(request.workflowId)}, and must be in the same`,
      );
    }
    return await call(object, "commit", request);
  }

  /** Claims workflows from the objects in which they are. */
  async claim(call: CallObject, request: ClaimRequest): Promise<ClaimResult> {
    if (request.workflowIds === null) return await call(this.ownFor("Claiming what is due"), "claim", request);
    const groups = Map.groupBy(request.workflowIds, (workflowId) => this.of(workflowId));
    const [first] = groups.keys();
    if (first === undefined) return { claimed: [], unknown: [], nextDueMs: null, now: null, more: false };
    if (groups.size === 1) return await call(first, "claim", request);
    const results: ClaimResult[] = [];
    let claimed = 0;
    for (const [object, workflowIds] of groups) {
      const result = await call(object, "claim", { ...request, workflowIds, limit: request.limit - claimed });
      claimed += result.claimed.length;
      results.push(result);
    }
    const next = results.flatMap(({ nextDueMs }) => nextDueMs ?? []);
    return {
      claimed: results.flatMap((it) => it.claimed),
      unknown: [],
      nextDueMs: next.length > 0 ? Math.min(...next) : null,
      now: results[0]!.now,
      more: results.some(({ more }) => more),
    };
  }
}

/** The workflow that an operation concerns, beside the one that commits; `null` if it concerns none. */
function otherWorkflow(operation: Operation): string | null {
  switch (operation.type) {
    case "send":
      return operation.message.destinationId;
    case "start":
      return operation.workflow.workflowId;
    case "observeEvent":
    case "observeResult":
      return operation.workflowId;
    default:
      return null;
  }
}

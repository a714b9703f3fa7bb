/**
 * Runs that a test drives by hand, and assertions about their answers.
 *
 * @module
 */

import assert from "node:assert/strict";
import type {
  Claimed,
  ClaimRequest,
  CommitRequest,
  CommitResult,
  Committed,
  ControlResult,
  Driver,
  ListedWorkflow,
  ListQuery,
  OpenEntry,
  Operation,
  Outcome,
  SendResult,
  Transition,
  WorkflowRecord,
} from "../core/driver/driver.ts";
import { end, receive, SUSPEND } from "./operations.ts";
import { claimRequest, commitRequest, createRequest, LEASE_MS, listQuery } from "./requests.ts";

/** {@linkcode DrivenRun.drain} uses the positions from here on. */
const DRAIN_FROM = 1_000_000;

const MAX_DRAINED = 5_000;

/** One run of a workflow. It numbers its commits. */
export class DrivenRun {
  readonly driver: Driver;
  readonly workflowId: string;
  readonly epoch: number;
  readonly owner: string;
  #number = 0;
  #drained = 0;

  constructor(driver: Driver, workflowId: string, { epoch, owner }: { epoch: number; owner: string }) {
    this.driver = driver;
    this.workflowId = workflowId;
    this.epoch = epoch;
    this.owner = owner;
  }

  /** The next commit. The test makes it, perhaps twice. */
  next(operations: readonly Operation[] = [], transition: Transition | null = null): CommitRequest {
    this.#number += 1;
    return commitRequest(
      { workflowId: this.workflowId, epoch: this.epoch, owner: this.owner, number: this.#number },
      operations,
      transition,
    );
  }

  commit(operations: readonly Operation[] = [], transition: Transition | null = null): Promise<CommitResult> {
    return this.driver.commit(this.next(operations, transition));
  }

  /** Commits and keeps the lease. */
  async held(operations: readonly Operation[] = [], transition: Transition | null = null): Promise<Committed> {
    return committed(await this.commit(operations, transition), "held");
  }

  /** Commits and releases the lease. */
  async released(operations: readonly Operation[], transition: Transition): Promise<Committed> {
    return committed(await this.commit(operations, transition), "released");
  }

  /** Commits, keeps the lease, and answers with the outcome of each operation, or `open`. */
  async outcomes(operations: readonly Operation[]): Promise<OperationAnswer[]> {
    return answers(await this.held(operations));
  }

  async suspend(operations: readonly Operation[]): Promise<void> {
    await this.released(operations, SUSPEND);
  }

  async end(...ending: Parameters<typeof end>): Promise<Committed> {
    return await this.released([], end(...ending));
  }

  /**
   * Takes every message under these topics. It fails after more messages than any test sends,
   * because some must then have been taken twice.
   */
  async drain(topics: readonly string[] = [""]): Promise<string[]> {
    const values: string[] = [];
    while (true) {
      const first = DRAIN_FROM + this.epoch * DRAIN_FROM + this.#drained;
      const operations = Array.from({ length: 50 }, (_, index) => receive(first + index, topics, 0));
      this.#drained += operations.length;
      const taken = (await this.outcomes(operations)).flatMap((answer) =>
        answer !== "open" && answer.tag === "message" ? [answer.value ?? ""] : []
      );
      values.push(...taken);
      assert(values.length <= MAX_DRAINED, `${values.length} messages were taken`);
      if (taken.length < operations.length) return values;
    }
  }
}

/** Creates a workflow and leases it. */
export async function begin(
  driver: Driver,
  workflowId: string,
  { leaseMs = LEASE_MS }: { leaseMs?: number } = {},
): Promise<DrivenRun> {
  const request = createRequest(workflowId, { leaseMs });
  const { created, epoch } = await driver.create(request);
  assert(created, `${workflowId} existed before`);
  return new DrivenRun(driver, workflowId, { epoch, owner: request.owner });
}

/** Creates a workflow that suspends at once for these waits. */
export async function beginSuspended(driver: Driver, workflowId: string, waits: readonly Operation[]): Promise<void> {
  await (await begin(driver, workflowId)).suspend(waits);
}

/** Creates a workflow for a later claim. */
export async function enqueue(driver: Driver, ...workflowIds: string[]): Promise<void> {
  for (const workflowId of workflowIds) await driver.create(createRequest(workflowId, { leaseMs: null }));
}

/** Claims one workflow. It must be due. */
export async function take(
  driver: Driver,
  workflowId: string,
  options: Partial<ClaimRequest> = {},
): Promise<DrivenRun & { claimed: Claimed }> {
  const request = claimRequest({ workflowIds: [workflowId], ...options });
  const { claimed: [claimed] } = await driver.claim(request);
  assert(claimed, `${workflowId} is not due`);
  assert.equal(claimed.workflow.workflowId, workflowId);
  return Object.assign(new DrivenRun(driver, workflowId, { epoch: claimed.epoch, owner: request.owner }), { claimed });
}

/** The IDs of the workflows that a claim takes. */
export async function claimIds(driver: Driver, options: Partial<ClaimRequest> = {}): Promise<string[]> {
  const { claimed } = await driver.claim(claimRequest(options));
  return claimed.map(({ workflow }) => workflow.workflowId);
}

/** The IDs on a page of a list, in its order. */
export async function listIds(driver: Driver, query: Partial<ListQuery> = {}): Promise<string[]> {
  const { workflows } = await driver.listWorkflows(listQuery(query));
  return workflows.map(({ workflowId }) => workflowId);
}

/** Cancels a workflow. */
export function cancel(driver: Driver, workflowId: string): Promise<ControlResult> {
  return driver.control({ workflowId, action: "cancel" });
}

/** Resumes a workflow. */
export function resume(driver: Driver, workflowId: string): Promise<ControlResult> {
  return driver.control({ workflowId, action: "resume" });
}

/** The result of a send that was not refused. */
export function sent(result: SendResult): Extract<SendResult, { state: "sent" }> {
  assert(result.state === "sent", `the send was refused: ${JSON.stringify(result)}`);
  return result;
}

/** The outcome of an operation that yields a value. */
export function valueOutcome(value: string): Outcome {
  return { tag: "value", value };
}

/** The outcome of a receive that took a message. */
export function messageOutcome(value: string, topic: string = ""): Outcome {
  return { tag: "message", value, topic };
}

/** The outcome of an operation without fields that are `null`, or `open`. */
export type OperationAnswer = Outcome | "open";

/** The outcome of each operation of a commit, or `open`. */
export function answers(result: Committed): OperationAnswer[] {
  return result.results.map((result) => "outcome" in result ? plain(result.outcome) : "open");
}

/** An outcome without fields that are `null`, because an absent field means the same. */
export function plain({ tag, value, topic }: Outcome): Outcome {
  return { tag, ...(value == null ? {} : { value }), ...(topic == null ? {} : { topic }) };
}

/** Makes a commit twice, once over each driver, and asserts that the answers are equal. */
export async function twice(
  [a, b]: readonly [Driver, Driver],
  request: CommitRequest,
  state: "held" | "released" = "held",
): Promise<OperationAnswer[]> {
  const first = answers(committed(await a.commit(request), state));
  assert.deepEqual(answers(committed(await b.commit(request), state)), first);
  return first;
}

/** The remaining milliseconds of the wait at `index`. */
export function remainingMs(result: Committed, index: number = 0): number | null {
  const wait = result.results[index];
  assert(wait && "remainingMs" in wait, `operation ${index} has an outcome`);
  return wait.remainingMs;
}

/** The result of a commit that was applied, in this state. */
export function committed(result: CommitResult, state: "held" | "released"): Committed {
  assert.equal(result.state, state);
  assert("results" in result);
  return result;
}

/**
 * Asserts which entries are open, by position, with their labels and about how long they still
 * have. No entry may be a pause.
 */
export function assertOpen(
  open: readonly OpenEntry[],
  expected: readonly [position: number, label: string, remainingMs: number | null][],
): void {
  assert.deepEqual(
    open.map(({ position, label, attempts }) => [position, label, attempts]),
    expected.map(([position, label]) => [position, label, 0]),
  );
  for (const [index, [, , remaining]] of expected.entries()) {
    const actual = open[index]?.remainingMs ?? null;
    if (remaining === null) assert.equal(actual, null);
    else assertAbout(actual, remaining);
  }
}

/** Asserts what a claim or a list shows of a workflow. It need not have the number of unread messages. */
export function assertRecord(shown: ListedWorkflow, record: WorkflowRecord | null): void {
  assert(record);
  assert.deepEqual({ ...shown, unread: null }, { ...record, unread: null });
}

/**
 * Asserts that a duration in milliseconds is `expected`, or slightly less in a store whose clock
 * runs by itself.
 */
export function assertAbout(actual: number | null, expected: number): void {
  assert(
    actual !== null && actual <= expected && actual > expected - 30_000,
    `${actual} ms: it must be about ${expected}`,
  );
}

/**
 * What a measured system can do. The cases and their workflows use nothing else, so that all
 * systems run the same code.
 *
 * @module
 */

/** The operations of a workflow. */
export interface Operations {
  step(name: string, run: () => unknown): Promise<unknown>;
  setEvent(key: string, value: unknown): Promise<void>;
  getEvent(workflowId: string, key: string): Promise<unknown>;
  send(workflowId: string, message: unknown): Promise<void>;
  recv(): Promise<unknown>;
  writeStream(key: string, value: unknown): Promise<void>;
  /**
   * Stops here for another process. Returns in the process that has taken the workflow over.
   *
   * @param isFirst Whether this process has started the workflow.
   */
  handOver(isFirst: boolean): Promise<void>;
}

/** The input of the workflows. */
export interface Input {
  /** The workflow's ID. It names the task of this process; see `tasks.ts`. */
  readonly id: string;
  /** How often the workflow does what it does. */
  readonly count: number;
  /** The operation that the workflow repeats. */
  readonly operation?: Operation;
  /** The workflow that the operation uses. */
  readonly other?: string;
  /** The longest pause before an operation, in milliseconds. */
  readonly pauseMs?: number;
}

/** An operation that a workflow repeats. */
export type Operation = "step" | "setEvent" | "getEvent" | "send" | "recv" | "writeStream";

/** The code of a workflow. */
export type Program = (operations: Operations, input: Input) => Promise<unknown>;

/** A started workflow. */
export interface Started {
  /** Waits for the result. */
  result(): Promise<unknown>;
}

/** A system of durable workflows, in this process. */
export interface System {
  /** Starts one of the programs. The workflow's ID is the input's `id`. */
  start(program: string, input: Input): Promise<Started>;
  /** Works like `start`, for a workflow that another process takes over. */
  startForOther(program: string, input: Input): Promise<Started>;
  /** Waits until workflows of `startForOther` have stopped in this process, if they stop by themselves. */
  left(): Promise<void>;
  /** Works like `start`, for a workflow that waits in memory for longer than any case takes. */
  startHot(program: string, input: Input): Promise<Started>;
  /** Takes over a workflow that stopped in `handOver`, and waits for its result. */
  takeOver(workflowId: string): Promise<void>;
  send(workflowId: string, message: unknown): Promise<void>;
  getEvent(workflowId: string, key: string): Promise<unknown>;
  /** Reads a stream until it ends. */
  readStream(workflowId: string, key: string): AsyncIterable<unknown>;
}

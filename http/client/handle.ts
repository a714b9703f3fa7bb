/**
 * A workflow behind the adapter.
 *
 * @module
 */

import type { Client, WaitOptions, WorkflowInfo } from "../../core/client.ts";
import { toMilliseconds } from "../../core/values/checks.ts";
import { BoundHandle } from "../../core/read/handle.ts";
import { decodeValue, toSegment } from "../protocol.ts";
import { toInfo } from "./reading.ts";
import type { Transport } from "./transport.ts";
import { waitOver } from "./waiting.ts";

/** A handle on a workflow behind the adapter. */
export class RemoteHandle<O> extends BoundHandle<O> {
  readonly #transport: Transport;

  constructor(client: Client, transport: Transport, workflowId: string) {
    super(client, workflowId);
    this.#transport = transport;
  }

  get #path(): string {
    return `/workflows/${toSegment(this.workflowId)}`;
  }

  status(): Promise<WorkflowInfo> {
    return this.#transport.call<WorkflowInfo>({ operation: "status", path: this.#path, read: toInfo });
  }

  async result(options: WaitOptions = {}): Promise<O> {
    const { timeout, signal } = options;
    const timeoutMs = timeout === undefined ? null : toMilliseconds(timeout, "timeout");
    const operation = "result";
    const ask = (waitMs: number) =>
      this.#transport.once<O>({
        operation,
        path: `${this.#path}/result?wait=${Math.ceil(waitMs)}ms`,
        waitMs,
        signal,
        read: (result) => decodeValue(result) as O,
      });
    return await waitOver(this.#transport, { operation, timeoutMs, signal }, ask);
  }
}

/**
 * Errors of readers that ask for what is not there.
 *
 * @module
 */

import { define, ParleyError, quote } from "./parley_error.ts";

/** A reader asks for an offset that the stream has not reached. Its offset is of another stream: of one before a restore of the store, or before the ID was used again. */
export class OffsetOutOfRangeError extends ParleyError {
  static {
    define(this.prototype, "OffsetOutOfRangeError", "offset_out_of_range");
  }
  /** The workflow. */
  readonly workflowId: string;
  /** The stream. */
  readonly key: string;
  /** The offset that was asked for. */
  readonly offset: number;
  /** The offset that the next value gets: the highest that can be asked for. */
  readonly end: number;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   * @param key The stream.
   * @param range The offset that was asked for, and the end of the stream.
   */
  constructor(workflowId: string, key: string, range: { offset: number; end: number }) {
    const { offset, end } = range;
    super(
      "offset_out_of_range",
      `Reading stream ${quote(key)} of workflow ${
        quote(workflowId)
      }: the offset is ${offset}, and must be at most ${end}, where the stream ends`,
    );
    this.workflowId = workflowId;
    this.key = key;
    this.offset = offset;
    this.end = end;
  }
}

/** A reader of an event has seen a version above the one that there is. It is of another event: of one before a restore of the store, or before the ID was used again. */
export class VersionOutOfRangeError extends ParleyError {
  static {
    define(this.prototype, "VersionOutOfRangeError", "version_out_of_range");
  }
  /** The workflow. */
  readonly workflowId: string;
  /** The event. */
  readonly key: string;
  /** The version that the reader has seen. */
  readonly after: number;
  /** The version that there is; 0 where there is none. */
  readonly version: number;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   * @param key The event.
   * @param range The version that the reader has seen, and the one that there is.
   */
  constructor(workflowId: string, key: string, range: { after: number; version: number }) {
    const { after, version } = range;
    super(
      "version_out_of_range",
      `Reading event ${quote(key)} of workflow ${
        quote(workflowId)
      }: \`after\` is ${after}, and must be at most ${version}, the version that there is`,
    );
    this.workflowId = workflowId;
    this.key = key;
    this.after = after;
    this.version = version;
  }
}

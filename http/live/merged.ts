/**
 * Several streams and events of one workflow as one text.
 *
 * @module
 */

import { WorkflowNotFoundError } from "../../core/errors.ts";
import type { Chunks } from "./live.ts";
import type { Followed, FollowedFrames } from "./followed.ts";
import { Gathered } from "./pieces.ts";

/** How several streams and events become text. `id` says where a client continues after the text. */
export interface MergedFrames {
  /** The beginning of the answer. */
  readonly opening: string;
  /** A value of a stream, at an offset. */
  readonly streamValue: (value: { stream: string; offset: number; value: unknown }, id: string) => string;
  /** The end of a stream. */
  readonly streamEnd: (end: { stream: string; nextOffset: number }, id: string) => string;
  /** A value of an event, of a version. */
  readonly eventValue: (value: { event: string; version: number; value: unknown }, id: string) => string;
  /** The end of all of them. */
  readonly end: (id: string) => string;
}

/** One of the streams and events, and how far it is. */
interface Lane {
  readonly followed: Followed;
  /** `ready`: there is something to take. `idle`: all was taken, and nothing is awaited yet. */
  state: "idle" | "loading" | "ready" | "over" | "failed";
  error: unknown;
}

/**
 * Reads several streams and events, each as far as it has come. They take turns, so one with a long
 * past does not hold the others up.
 */
export class Merged {
  readonly #lanes: readonly Lane[];
  readonly #frames: MergedFrames;
  /** Whether the client has stopped, so that what is read now is dropped too. */
  #stalled = false;
  /** The lane whose turn is next. */
  #turn = 0;
  /** Ends the wait for a lane. */
  #wake = () => {};

  constructor(followed: readonly Followed[], frames: MergedFrames) {
    this.#lanes = followed.map((it) => ({ followed: it, state: "idle", error: undefined }));
    this.#frames = frames;
  }

  /** Drops what was read and not yet taken. It is read again when the client continues. */
  letGo(): void {
    this.#stalled = true;
    for (const { followed } of this.#lanes) followed.drop();
  }

  /**
   * All of them as text. An error of the first looks comes before any text.
   *
   * @param begin What else is checked before the first text.
   */
  async *chunks(begin: () => Promise<unknown>): Chunks {
    const gathered = new Gathered();
    try {
      const looks = await Promise.allSettled([begin(), ...this.#lanes.map(({ followed }) => followed.check())]);
      const errors = looks.flatMap((look) => look.status === "rejected" ? [look.reason] : []);
      // A position is ahead of all that a missing workflow has.
      if (errors.length > 0) throw errors.find((error) => error instanceof WorkflowNotFoundError) ?? errors[0];
      gathered.add(this.#frames.opening);
      yield gathered.take();
      for (let lane = await this.#next(); lane; lane = await this.#next()) {
        const isLeft = lane.followed.take(gathered, this.#framesOf());
        if (!isLeft) lane.state = "idle";
        // A page that was dropped contains nothing.
        if (!gathered.isEmpty) yield gathered.take();
      }
      yield [this.#frames.end(this.#id)];
    } finally {
      for (const { followed } of this.#lanes) followed.close();
    }
  }

  /** The next that has something to take; `undefined` if all have ended. */
  async #next(): Promise<Lane | undefined> {
    this.#stalled = false;
    for (;;) {
      for (const lane of this.#lanes) if (lane.state === "idle") this.#load(lane);
      const failed = this.#lanes.find(({ state }) => state === "failed");
      if (failed) throw failed.error;
      const ready = this.#takeTurn();
      if (ready || this.#lanes.every(({ state }) => state === "over")) return ready;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #takeTurn(): Lane | undefined {
    for (let step = 0; step < this.#lanes.length; step++) {
      const index = (this.#turn + step) % this.#lanes.length;
      const lane = this.#lanes[index]!;
      if (lane.state !== "ready") continue;
      this.#turn = index + 1;
      return lane;
    }
    return undefined;
  }

  #load(lane: Lane): void {
    lane.state = "loading";
    lane.followed.load().then((some) => {
      lane.state = some ? "ready" : "over";
      if (this.#stalled) lane.followed.drop();
    }, (error) => {
      lane.state = "failed";
      lane.error = error;
    }).then(() => this.#wake());
  }

  /** Where a client continues, as the positions in the order of the request. */
  get #id(): string {
    return this.#lanes.map(({ followed }) => followed.position).join(".");
  }

  #framesOf(): FollowedFrames {
    const { streamValue, streamEnd, eventValue } = this.#frames;
    return {
      streamValue: (stream, offset, value) => streamValue({ stream, offset, value }, this.#id),
      streamEnd: (stream, nextOffset) => streamEnd({ stream, nextOffset }, this.#id),
      eventValue: (event, version, value) => eventValue({ event, version, value }, this.#id),
    };
  }
}

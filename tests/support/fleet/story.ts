/**
 * Workflows in a ring, each of which sends to the next and receives from the one before, and their
 * expected results.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Parley, stream, topic, workflow } from "../../../mod.ts";

/** How often each workflow sends and receives. */
export const ROUNDS = 3;

const news = topic<{ from: number; round: number; part: number }>("news");
const diary = stream<number>("diary");

/** The place of a workflow in a ring. */
export interface Place {
  index: number;
  size: number;
}

/** The ID of a place's workflow. */
export function idOf(index: number): string {
  return `ring/${index}`;
}

/** Sends two messages a round to the next, receives two from the one before, and keeps a diary. */
export const ring = workflow("ring", async (ctx, { index, size }: Place) => {
  const received: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await ctx.step("think", () => round);
    const send = (part: number) => ctx.send(idOf((index + 1) % size), { from: index, round, part }, { topic: news });
    await Promise.all([send(0), ctx.writeStream(diary, 2 * round), send(1), ctx.writeStream(diary, 2 * round + 1)]);
    for (let part = 0; part < 2; part++) {
      const message = await ctx.recv(news);
      received.push(`${message.from}:${message.round}:${message.part}`);
    }
    await ctx.setEvent("round", round);
  }
  return received;
});

/** Stores the ring. */
export async function tell(parley: Parley, size: number): Promise<void> {
  const indexes = Array.from({ length: size }, (_, index) => index);
  // A workflow that does not exist yet takes no message, so all are stored before any runs.
  for (let from = 0; from < size; from += 100) {
    await Promise.all(
      indexes.slice(from, from + 100).map((index) => {
        return parley.start("ring", { index, size }, { workflowId: idOf(index), enqueue: true });
      }),
    );
  }
}

/** The IDs of workflows that have not ended, up to a limit. */
export async function unfinished(parley: Parley, limit: number): Promise<string[]> {
  const { workflows } = await parley.list({ status: ["ENQUEUED", "PENDING"], limit });
  return workflows.map(({ workflowId }) => workflowId);
}

/** Checks every workflow: each message once and in order, each stream dense, each result right. */
export async function check(parley: Parley, size: number): Promise<void> {
  for (let index = 0; index < size; index++) {
    const { status, output } = await parley.handle(idOf(index)).status();
    const before = (index + size - 1) % size;
    const expected = Array.from({ length: 2 * ROUNDS }, (_, n) => `${before}:${Math.floor(n / 2)}:${n % 2}`);
    assert.deepEqual({ status, output }, { status: "SUCCESS", output: expected }, idOf(index));
    const written = await parley.readStream(idOf(index), diary).collect();
    assert.deepEqual(written, {
      values: Array.from({ length: 2 * ROUNDS }, (_, n) => n),
      closed: true,
      nextOffset: 2 * ROUNDS,
    });
    assert.equal(await parley.getEvent(idOf(index), "round", { timeout: 0 }), ROUNDS - 1);
  }
}

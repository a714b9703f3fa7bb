/**
 * Many processes over one store, killed at random and started again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Parley } from "../../../mod.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { LOCK } from "../../../scripts/deno.ts";
import { check, tell, unfinished } from "./story.ts";

/** The options of a fleet. */
export interface FleetOptions {
  /** The module with `openDriver(argument)` for the processes. */
  module: URL;
  /** The argument of its `openDriver`. */
  argument: string;
  /** A driver over the same store, for this process. */
  driver: Driver;
  /** How many workflows. */
  workflows: number;
  /** How many processes. Default 8. */
  processes?: number;
  /** How many milliseconds long processes are killed. After that they carry on in peace. */
  killForMs: number;
  /** Called each time before a process is killed, to break something else. */
  disturb?: () => void;
  /** The maximum duration of the whole. */
  timeoutMs: number;
}

/** The exports of a module for {@linkcode FleetOptions.module}. */
export type OpenDriver = (argument: string) => { driver: Driver; close?: () => Promise<void> };

const HOUR_MS = 3_600_000;

/**
 * Runs the ring in many processes and checks its results. Returns how many processes were killed.
 */
export async function runFleet(options: FleetOptions): Promise<{ killed: number; tookMs: number }> {
  const { driver, workflows, processes = 8, killForMs, timeoutMs } = options;
  await using parley = new Parley({ driver, wake: "none" });
  await tell(parley, workflows);
  const startedAt = performance.now();
  const passed = () => performance.now() - startedAt;
  const fleet = Array.from({ length: processes }, (_, index) => new Member(options, index));
  let killed = 0;
  try {
    while ((await unfinished(parley, 1)).length > 0) {
      assert(passed() < timeoutMs, `after ${timeoutMs} ms these had not ended: ${await unfinished(parley, 100)}`);
      await new Promise((resolve) => setTimeout(resolve, 150));
      if (passed() < killForMs) options.disturb?.();
      const victim = fleet[Math.floor(Math.random() * fleet.length)]!;
      if (passed() < killForMs && await victim.kill()) {
        killed++;
        victim.start();
      }
    }
  } finally {
    await Promise.all(fleet.map((member) => member.kill()));
  }
  assert.deepEqual(fleet.flatMap(({ died }) => died ?? []), [], "processes that died by themselves");
  await check(parley, workflows);
  return { killed, tookMs: passed() };
}

/** One process. The clocks of any two are hours apart. */
class Member {
  readonly #args: string[];
  #child: Deno.ChildProcess | undefined;
  /**
   * The end of a process that nobody killed, which is an error: a process must go on whatever
   * fails.
   */
  died: Deno.CommandStatus | undefined;

  constructor({ module, argument }: FleetOptions, index: number) {
    const worker = new URL("worker.ts", import.meta.url).pathname;
    this.#args = ["run", LOCK, "-A", "--no-check", worker, module.href, argument, String((index - 4) * 5 * HOUR_MS)];
    this.start();
  }

  start(): void {
    const child = this.#child = new Deno.Command(Deno.execPath(), {
      args: this.#args,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    child.status.then((status) => {
      if (this.#child === child) this.died = status;
    });
  }

  async kill(): Promise<boolean> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return false;
    try {
      child.kill("SIGKILL");
    } catch {
      // The process has died by itself.
    }
    await child.status;
    return true;
  }
}

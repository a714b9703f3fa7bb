/**
 * Parley, as the cases use it.
 *
 * @module
 */

import { Parley, type Workflow, workflow, type WorkflowContext } from "@parley/parley";
import type { Driver } from "@parley/parley/driver";
import { postgresDriver } from "@parley/parley/postgres";
// @ts-types="@types/pg"
import pg from "pg";
import { PROGRAMS } from "./programs.ts";
import type { Input, Operations, Program, System } from "./system.ts";

/** Connects Parley to a PostgreSQL by node-postgres. */
export function postgresSystem(url: string, poolSize: number): System {
  return parleySystem(postgresDriver(new pg.Pool({ connectionString: url, max: poolSize }), { listen: true }));
}

/** A `Parley` keeps so many waits in memory, and suspends the oldest if there are more. */
const MAX_HOT = 100;

/** Makes a system of Parley over a store. */
export function parleySystem(driver: Driver): System {
  const workflows = new Map(Object.entries(PROGRAMS).map(([name, program]) => [name, toWorkflow(name, program)]));
  const options = { driver, workflows: [...workflows.values()] };
  const parley = new Parley(options);
  const leaving = new Parley({ ...options, hotWait: 0 });
  let hot = 0;
  let staying = parley;
  const nextStaying = () => {
    if (hot++ % MAX_HOT === 0) staying = new Parley({ ...options, hotWait: "1h" });
    return staying;
  };
  const start = (from: Parley, program: string, input: Input) =>
    from.start(workflows.get(program)!, input, { workflowId: input.id });
  return {
    start: (program, input) => start(parley, program, input),
    startForOther: (program, input) => start(leaving, program, input),
    left: () => leaving.idle(),
    startHot: (program, input) => start(nextStaying(), program, input),
    takeOver: async (workflowId) => {
      await parley.send(workflowId, null);
      await parley.result(workflowId);
    },
    send: async (workflowId, message) => {
      await parley.send(workflowId, message);
    },
    getEvent: (workflowId, key) => parley.getEvent(workflowId, key),
    readStream: (workflowId, key) => parley.readStream(workflowId, key),
  };
}

function toWorkflow(name: string, program: Program): Workflow<Input, unknown> {
  return workflow(name, (ctx, input: Input) => program(operationsOf(ctx), input));
}

function operationsOf(ctx: WorkflowContext): Operations {
  return {
    step: (name, run) => ctx.step(name, run),
    setEvent: (key, value) => ctx.setEvent(key, value),
    getEvent: (workflowId, key) => ctx.getEvent(workflowId, key),
    send: async (workflowId, message) => {
      await ctx.send(workflowId, message);
    },
    recv: () => ctx.recv(),
    writeStream: (key, value) => ctx.writeStream(key, value),
    handOver: async () => {
      await ctx.recv();
    },
  };
}

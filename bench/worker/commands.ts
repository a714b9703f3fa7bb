/**
 * What a worker does on the word of the main program.
 *
 * @module
 */

import process from "node:process";
import { EVENT, STREAM, VALUE } from "./programs.ts";
import { serverCounts } from "./requests.ts";
import type { Arguments, Commands } from "./serve.ts";
import type { Input, Started, System } from "./system.ts";
import { hasTimes, now, pause, takeTask, taskOf, type Timed, timed } from "./tasks.ts";

/** The commands for a system, by name. */
export function commandsOf(system: System): Commands {
  return {
    ...outside(system),
    ...inside(system),
    ...acrossProcesses(system),
    ...loops(system),
    ...memory(system),
    serverCounts,
  };
}

function inputOf(args: Partial<Arguments>): Input {
  return { id: crypto.randomUUID(), count: 0, ...args };
}

/** The commands that measure calls from outside a workflow. */
function outside(system: System) {
  let held: Promise<string> | undefined;
  const holder = () => held ??= hold(system);
  return {
    startToResult: ({ count, program }: Arguments) =>
      timed(count, async () => await (await system.start(program, inputOf({}))).result()),
    send: async ({ count }: Arguments) => {
      const id = await holder();
      return await timed(count, () => system.send(id, VALUE));
    },
    getEvent: async ({ count }: Arguments) => {
      const id = await holder();
      return await timed(count, () => system.getEvent(id, EVENT));
    },
    readAll: async ({ id }: Arguments) => {
      const begin = now();
      let values = 0;
      for await (const _ of system.readStream(id, STREAM)) values++;
      return { ms: now() - begin, values };
    },
  };
}

/** Starts a workflow that stays active, with an event. */
async function hold(system: System): Promise<string> {
  const input = inputOf({});
  const { reached } = taskOf(input.id);
  await system.start("hold", input);
  await reached;
  return input.id;
}

/** The commands that measure operations inside a workflow. */
function inside(system: System) {
  let other: Promise<string> | undefined;
  return {
    inside: async ({ count, operation }: Arguments) => {
      const input = { ...inputOf({ count, operation }), other: await (other ??= hold(system)) };
      return await throughGate(system, "repeat", input, async () => {
        if (operation !== "recv") return;
        for (let number = 0; number < count; number++) await system.send(input.id, VALUE);
      });
    },
    /** Writes `count` values at once. The ID is known so that others can read them. */
    writeMany: ({ id, count }: Arguments) => throughGate(system, "writeMany", { id, count }, () => Promise.resolve()),
  };
}

/** Starts a workflow, prepares it at its gate, lets it go on to its end, and returns what it measured. */
async function throughGate(
  system: System,
  program: string,
  input: Input,
  prepare: () => Promise<void>,
): Promise<Timed> {
  const { reached, open } = taskOf(input.id);
  const started = await system.start(program, input);
  await reached;
  await prepare();
  open();
  await started.result();
  return takeTask(input.id);
}

/** The commands that work together with those in another process, or in this one. */
function acrossProcesses(system: System) {
  const started = new Map<string, Started>();
  const start = async (program: string, { id, count, pauseMs }: Arguments) => {
    taskOf(id);
    started.set(id, await system.start(program, { id, count, pauseMs }));
  };
  return {
    startReceiver: (args: Arguments) => start("receive", args),
    /** Sends a message after a pause. Returns when the send began. */
    sendLater: async ({ id, pauseMs }: Arguments) => {
      await pause(pauseMs);
      const begin = now();
      await system.send(id, VALUE);
      return begin;
    },
    /** Waits until a workflow of this process has received `count` messages. */
    received: ({ id, count }: Arguments) => hasTimes(id, count),
    startWriter: (args: Arguments) => start("write", args),
    open: ({ id }: Arguments) => Promise.resolve(taskOf(id).open()),
    /** Waits for the end of a workflow that was started here, and returns its times. */
    times: async ({ id }: Arguments) => {
      await started.get(id)!.result();
      started.delete(id);
      return takeTask(id).times;
    },
    /** Reads a stream live. Returns when each value was there. */
    readEach: async ({ id }: Arguments) => {
      const times: number[] = [];
      for await (const _ of system.readStream(id, STREAM)) times.push(now());
      return times;
    },
    leave: async ({ id, count }: Arguments) => {
      const { reached } = taskOf(id);
      await system.startForOther("handOver", { id, count });
      await reached;
      await system.left();
    },
    /** Takes a workflow over. Returns when the call began, and when the result was there. */
    takeOver: async ({ id }: Arguments) => {
      const begin = now();
      await system.takeOver(id);
      return { begin, end: now() };
    },
    /** When the code of a workflow began in this process, each time. */
    begun: ({ id }: Arguments) => Promise.resolve(takeTask(id).times),
  };
}

/** The commands that run workflows in closed loops. */
function loops(system: System) {
  return {
    /** Returns how many workflows have ended, and in how many milliseconds. */
    loop: async ({ program, together, forMs }: Arguments) => {
      const begin = now();
      let ended = 0;
      await Promise.all(Array.from({ length: together }, async () => {
        while (now() - begin < forMs) {
          await (await system.start(program, inputOf({}))).result();
          ended++;
        }
      }));
      return { ended, ms: now() - begin };
    },
  };
}

/** Some waits that warm the code up. */
const FIRST_WAITS = 100;

const STARTS_AT_ONCE = 20;

/** The commands that measure the heap of workflows that wait for a message. */
function memory(system: System) {
  const heapOf = async ({ count, pauseMs }: Arguments, start: System["start"]) => {
    const wait = async (waits: number) => {
      for (let number = 0; number < waits; number += STARTS_AT_ONCE) {
        const starts = Math.min(STARTS_AT_ONCE, waits - number);
        await Promise.all(Array.from({ length: starts }, () => start("receive", inputOf({ count: 1 }))));
      }
      await pause(pauseMs);
      return heapUsed();
    };
    const before = await wait(FIRST_WAITS);
    return (await wait(count) - before) / count;
  };
  return {
    hotHeap: (args: Arguments) => heapOf(args, system.startHot),
    suspendedHeap: (args: Arguments) => heapOf(args, system.startForOther),
  };
}

/** The bytes of the heap that are in use, after the garbage is collected. */
function heapUsed(): number {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") throw new Error("The process needs --expose-gc");
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

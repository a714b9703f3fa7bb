/**
 * What talks to Upstash over HTTP: Parley, bare commands, and `@upstash/realtime`.
 *
 * @module
 */

import { upstashDriver } from "@parley/parley/upstash";
import { Redis } from "@upstash/redis";
import { parleySystem } from "./parley.ts";
import { STREAM, VALUE } from "./programs.ts";
import { countCommands, serverCounts } from "./requests.ts";
import type { Arguments, Commands } from "./serve.ts";
import type { System } from "./system.ts";
import { now, pause, takeTask, taskOf, timed } from "./tasks.ts";

/** A database at Upstash, and the prefix of the keys of a run. */
export interface UpstashAddress {
  readonly url: string;
  readonly token: string;
  readonly prefix: string;
  /** Where the server's counts are. */
  readonly counts: string;
}

/** Connects Parley to Upstash. */
export function upstashSystem({ url, token, prefix, counts }: UpstashAddress): System {
  countCommands(counts);
  return parleySystem(upstashDriver({ url, token }, { prefix }));
}

/** One write. */
const SCRIPT = `#!lua flags=allow-key-locking
redis.call("SET", KEYS[1], ARGV[1])
return 1`;

/** The commands of bare requests. */
export async function bareUpstashCommands({ url, token, prefix, counts }: UpstashAddress): Promise<Commands> {
  countCommands(counts);
  const send = async (...command: string[]) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(command),
    });
    const { result, error }: { result?: string; error?: string } = await response.json();
    if (result === undefined) throw new Error(`${command[0]}: ${error}`);
    return result;
  };
  const sha = await send("SCRIPT", "LOAD", SCRIPT);
  const commands = {
    ping: () => send("PING"),
    evalsha: () => send("EVALSHA", sha, "1", `${prefix}:bare`, VALUE),
  };
  return { statement: ({ count, program }) => timed(count, commands[program as keyof typeof commands]) };
}

/** The part of `@upstash/realtime` that the case uses. */
interface Channel {
  emit(event: string, data: unknown): Promise<void>;
  subscribe(options: { events: string[]; history: boolean; onData: () => void }): Promise<() => void>;
}

/** The package is installed in the folder of the bundle; the project does not depend on it. */
const PACKAGE = "@upstash/realtime";

/** The commands of `@upstash/realtime`, which correspond to those of a live stream. */
export async function realtimeCommands({ url, token, prefix, counts }: UpstashAddress): Promise<Commands> {
  countCommands(counts);
  const { Realtime }: { Realtime: new (options: object) => { channel(name: string): Channel } } = await import(PACKAGE);
  const realtime = new Realtime({ redis: new Redis({ url, token, enableTelemetry: false }), history: true });
  const writing = new Map<string, Promise<unknown>>();
  const write = async ({ id, count, pauseMs }: Arguments) => {
    const { gate, times } = taskOf(id);
    await gate;
    for (let number = 0; number < count; number++) {
      await pause(pauseMs);
      times.push(now());
      await realtime.channel(`${prefix}-${id}`).emit(STREAM, VALUE);
    }
  };
  return {
    serverCounts,
    startWriter: (args) => {
      writing.set(args.id, write(args));
      return Promise.resolve();
    },
    open: ({ id }) => Promise.resolve(taskOf(id).open()),
    times: async ({ id }) => {
      await writing.get(id);
      return takeTask(id).times;
    },
    readEach: async ({ id, count }) => {
      const times: number[] = [];
      let finish = () => {};
      const done = new Promise<void>((resolve) => finish = resolve);
      const stop = await realtime.channel(`${prefix}-${id}`).subscribe({
        events: [STREAM],
        history: true,
        onData: () => {
          if (times.push(now()) === count) finish();
        },
      });
      await done;
      stop();
      return times;
    },
  };
}

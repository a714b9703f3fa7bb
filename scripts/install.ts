/**
 * Installs programs for the tests without asking, if the user is root or may become root without a
 * password.
 *
 * @module
 */

/** A program for the tests, and the packages that contain it. */
export interface Wanted {
  /** The name to show. */
  readonly name: string;
  /** The package, by the command of each package manager. */
  readonly packages: Readonly<Partial<Record<Installer["program"], string>>>;
}

/** The commands of one package manager. */
interface Installer {
  readonly program: "apt-get" | "apk" | "dnf";
  readonly commands: (name: string) => readonly (readonly string[])[];
}

const INSTALLERS: readonly Installer[] = [
  {
    program: "apt-get",
    commands: (name) => [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", name]],
  },
  { program: "apk", commands: (name) => [["add", "--no-cache", name]] },
  { program: "dnf", commands: (name) => [["install", "-y", name]] },
];

/**
 * If this file returns 101, Debian does not start an installed service (deb-systemd-invoke(1),
 * invoke-rc.d(8)).
 */
const POLICY = "/usr/sbin/policy-rc.d";

const INSTALL_MS = 300_000;

/** Folders into which package managers put programs, even if they are not on the path of a user. */
const FOLDERS = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/homebrew/bin"];

/**
 * Installs a program without starting its service. If several processes want to install, one does.
 *
 * @param wanted The program.
 * @param isThere Whether another process has installed it meanwhile.
 * @returns The reason if the program is not installed.
 */
export async function install({ name, packages }: Wanted, isThere: () => Promise<boolean>): Promise<string> {
  const root = await becomingRoot();
  if (!root) return "installing it here takes a password";
  const installer = await firstOf(INSTALLERS.filter(({ program }) => packages[program] !== undefined));
  if (!installer) return `none of ${Object.keys(packages).join(", ")} is here to install it with`;
  using lock = await Deno.open(`${temporaryFolder()}/parley-install-${Deno.uid()}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (await isThere()) return "";
  console.error(`Installing ${name} with ${installer.program}`);
  return await withoutServices(root, () => runAll(installer, packages[installer.program]!, root));
}

/**
 * The path of a program with one of these names, on `PATH` or in the folders of package managers.
 */
export async function findProgram(names: readonly string[]): Promise<string | undefined> {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), ...FOLDERS].filter((folder) => folder !== "");
  for (const path of names.flatMap((name) => folders.map((folder) => `${folder}/${name}`))) {
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  return undefined;
}

async function runAll({ program, commands }: Installer, name: string, root: readonly string[]): Promise<string> {
  let failure = "";
  for (const args of commands(name)) {
    const { success, stderr } = await run([...root, "env", "DEBIAN_FRONTEND=noninteractive", program, ...args]);
    // The install may work even if the update failed for one of many sources.
    failure = success ? "" : `${program} ${args[0]} failed: ${stderr.trim().split("\n").at(-1)}`;
  }
  return failure;
}

/** The words before a command that only root may run. None for root. */
async function becomingRoot(): Promise<string[] | undefined> {
  if (Deno.uid() === 0) return [];
  return (await run(["sudo", "-n", "true"])).success ? ["sudo", "-n"] : undefined;
}

/** An existing policy stays as it is, because it does not belong to the tests. */
async function withoutServices<T>(root: readonly string[], install: () => Promise<T>): Promise<T> {
  const create = `[ ! -e ${POLICY} ] && printf '#!/bin/sh\\nexit 101\\n' >${POLICY} && chmod 755 ${POLICY}`;
  const { success: isOurs } = await run([...root, "sh", "-c", create]);
  try {
    return await install();
  } finally {
    if (isOurs) await run([...root, "rm", "-f", POLICY]);
  }
}

async function firstOf(installers: readonly Installer[]): Promise<Installer | undefined> {
  for (const installer of installers) {
    if ((await run(["sh", "-c", `command -v ${installer.program}`])).success) return installer;
  }
  return undefined;
}

async function run([command = "", ...args]: readonly string[]): Promise<{ success: boolean; stderr: string }> {
  const signal = AbortSignal.timeout(INSTALL_MS);
  try {
    const child = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "piped", signal });
    const { success, stderr } = await child.output();
    return { success, stderr: new TextDecoder().decode(stderr) };
  } catch (error) {
    return { success: false, stderr: String(error) };
  }
}

function temporaryFolder(): string {
  return Deno.env.get("TMPDIR") ?? "/tmp";
}

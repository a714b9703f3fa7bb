/**
 * Installs what the tests need where that is allowed without asking: to root, and to who may become root without a password.
 *
 * @module
 */

/** A program for the tests, and the packages that have it. */
export interface Wanted {
  /** Its name, for people. */
  readonly name: string;
  /** The package, by the program of each package manager. */
  readonly packages: Readonly<Partial<Record<Installer["program"], string>>>;
}

/** How one package manager does it. */
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

/** What keeps Debian from starting a service that was installed: this file, if it says 101 (deb-systemd-invoke(1), invoke-rc.d(8)). */
const POLICY = "/usr/sbin/policy-rc.d";

const INSTALL_MS = 300_000;

/** Where a package manager puts programs, also if that is not on the path of a user. */
const FOLDERS = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/homebrew/bin"];

/**
 * Installs a program. A service that comes with it is not started. Of several processes that want to, one does.
 *
 * @param wanted What.
 * @param isThere Whether it has been installed meanwhile.
 * @returns Why it is not installed, if it is not.
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

/** Where a program of one of these names is, on the path or where package managers put it. */
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
    // An update that failed for one of many sources may have been good enough.
    failure = success ? "" : `${program} ${args[0]} failed: ${stderr.trim().split("\n").at(-1)}`;
  }
  return failure;
}

/** What goes before a command that only root may run; nothing for root. */
async function becomingRoot(): Promise<string[] | undefined> {
  if (Deno.uid() === 0) return [];
  return (await run(["sudo", "-n", "true"])).success ? ["sudo", "-n"] : undefined;
}

/** A policy that is there already stays as it is: it is not the tests' to change. */
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

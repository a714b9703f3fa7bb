/**
 * The browser of the tests: the one of the system, or one that this installs.
 *
 * @module
 */

import { findProgram, install } from "./install.ts";

/** Names of Chromium and its relatives. Each speaks the DevTools protocol. */
const BINARIES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

const PACKAGES = { "apt-get": "chromium", "apk": "chromium", "dnf": "chromium" };

/**
 * The path of Chromium. If there is none, and the machine allows it without asking, this installs
 * it.
 *
 * @throws {Error} If there is none and none can be installed.
 */
export async function chromiumPath(): Promise<string> {
  const found = await findChromium();
  if (found !== undefined) return found;
  const failure = await install(
    { name: "Chromium", packages: PACKAGES },
    async () => await findChromium() !== undefined,
  );
  const installed = await findChromium();
  if (installed !== undefined) return installed;
  throw new Error(`The tests need Chromium or Chrome, on the path (${failure})`);
}

async function findChromium(): Promise<string | undefined> {
  return await findProgram(BINARIES) ?? (await Deno.stat(MAC).then(() => MAC, () => undefined));
}

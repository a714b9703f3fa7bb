/**
 * The browser of the tests: of the system, installed if need be.
 *
 * @module
 */

import { findProgram, install } from "./install.ts";

/** Browsers of one kind: each speaks the DevTools protocol. */
const BINARIES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

const PACKAGES = { "apt-get": "chromium", "apk": "chromium", "dnf": "chromium" };

/**
 * Where Chromium is; it is installed first where that is allowed without asking.
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

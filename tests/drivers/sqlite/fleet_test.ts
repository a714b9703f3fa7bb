/**
 * Eight processes over one file that are killed at random. `PARLEY_FLEET_SECONDS` says for how long they
 * are; 10 otherwise.
 *
 * @module
 */

import { runFleet } from "../../support/fleet/mod.ts";
import { openDriver } from "../../support/fleet/sqlite.ts";
import { withDirectory } from "../../project/files.ts";

const killForMs = 1_000 * Number(Deno.env.get("PARLEY_FLEET_SECONDS") ?? 10);

Deno.test("eight processes over one SQLite file that are killed at random lose nothing and do nothing twice", async () => {
  await withDirectory(async (directory) => {
    const argument = `${directory}/store.db`;
    const { driver, close } = openDriver(argument);
    try {
      const module = new URL("../../support/fleet/sqlite.ts", import.meta.url);
      const workflows = Math.round(1_000 * Math.max(1, killForMs / 15_000));
      const timeoutMs = 3 * killForMs + 240_000;
      const { killed, tookMs } = await runFleet({ module, argument, driver, workflows, killForMs, timeoutMs });
      console.log(`${killed} processes were killed; it took ${Math.round(tookMs / 1_000)} s`);
    } finally {
      await close?.();
    }
  });
});

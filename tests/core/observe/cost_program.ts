/**
 * Runs the story of all operations without an observer, or with one that observes nothing. With
 * `load` it only loads the library.
 *
 * @module
 */

import { carryOn, story, tell } from "../../../conformance/workflows/everything.ts";
import { setup } from "../setup.ts";

const [mode] = Deno.args;
if (mode !== "load") {
  const { world } = await setup();
  const nothing = { onStep: () => {}, onOperation: () => {}, onCommit: () => {} };
  const observer = { onStart() {}, onSend() {}, onRun: () => nothing, onSweep() {}, onRequest() {} };
  const { parley } = world.isolate(0, story, mode === "with" ? { observer } : {});
  await tell(parley);
  await carryOn(world, parley);
}

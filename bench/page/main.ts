/**
 * `deno task bench:page`: writes `docs/benchmarks.md` and its plots from the results of runs.
 *
 * @module
 */

import { ROOT } from "../../scripts/deno.ts";
import { renderPlot, THEME_NAMES } from "./plots.ts";
import { FOLDER, readResultsFiles } from "./results_files.ts";
import { pageOf, sectionsOf } from "./text.ts";

const PAGE = new URL("docs/benchmarks.md", ROOT);

const files = readResultsFiles();
for await (const { name } of Deno.readDir(FOLDER)) {
  // A section may have gone.
  if (name.endsWith(".svg")) await Deno.remove(new URL(name, FOLDER));
}
for (const { plot } of sectionsOf(files.map(({ results }) => results))) {
  if (!plot) continue;
  for (const theme of THEME_NAMES) {
    await Deno.writeTextFile(new URL(`${plot.name}-${theme}.svg`, FOLDER), await renderPlot(plot, theme));
  }
}
await Deno.writeTextFile(PAGE, pageOf(files));
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", PAGE.pathname, FOLDER.pathname], cwd: ROOT })
  .output();

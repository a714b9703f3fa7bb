/**
 * Processes that commit to one file as fast as they can: the commits a second in all, the longest
 * wait of a commit, and the longest time for which an event loop stood still.
 *
 * @module
 */

const MS = 4_000;
const PROCESSES = [1, 2, 8];

const directory = await Deno.makeTempDir({ prefix: "parley-bench-sqlite-" });
const worker = new URL("worker.ts", import.meta.url).pathname;
console.log("| Processes | commits a second | of one process | longest wait | loop stood still |");
console.log("| ---: | ---: | ---: | ---: | ---: |");
for (const count of PROCESSES) {
  const path = `${directory}/${count}.db`;
  const results: { commits: number; longestMs: number; blockedMs: number }[] = await Promise.all(
    Array.from({ length: count }, async () => {
      const args = ["run", "-A", "--no-check", worker, path, String(MS), "1"];
      const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
      return JSON.parse(new TextDecoder().decode(stdout));
    }),
  );
  const rates = results.map(({ commits }) => Math.round(commits / MS * 1_000));
  const longest = (name: "longestMs" | "blockedMs") => `${Math.max(...results.map((it) => it[name])).toFixed(1)} ms`;
  const all = rates.reduce((sum, rate) => sum + rate, 0);
  console.log(
    `| ${count} | ${all} | ${Math.min(...rates)} to ${Math.max(...rates)} | ${longest("longestMs")} | ${
      longest("blockedMs")
    } |`,
  );
}
await Deno.remove(directory, { recursive: true });

import assert from "node:assert/strict";
import { countTests } from "../../scripts/junit.ts";
import { deno, withDirectory } from "./files.ts";

async function runTests(files: Record<string, string>, ...args: string[]): Promise<{ code: number; last: string }> {
  const { code, lines } = await linesOf(files, ...args);
  return { code, last: lines.at(-1) ?? "" };
}

async function linesOf(files: Record<string, string>, ...args: string[]): Promise<{ code: number; lines: string[] }> {
  return await withDirectory(async (directory) => {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${directory}/${name}`, text);
    const { code, stdout } = await deno("run", "-A", "scripts/test.ts", directory, ...args);
    return { code, lines: stdout.trimEnd().split("\n") };
  });
}

const PASSING = `Deno.test("a", () => {}); Deno.test("b > c", async (t) => void await t.step("d", () => {}));`;

Deno.test("deno task test counts tests, examples in documents and comments, leaks and files that fail to load", async () => {
  const files = {
    "passing_test.ts": `${PASSING} Deno.test.ignore("e", () => {});`,
    "leaking_test.ts": `Deno.test("f", () => void setTimeout(() => {}, 10_000));`,
    "throwing_test.ts": `Deno.test("g", () => {}); throw new Error();`,
    "document.md": "```ts\nconst one = 1;\n```\n\n```ts\nthrow new Error();\n```\n",
    "comment.ts": "/**\n * ```ts\n * throw 1;\n * ```\n */\nexport {};\n",
  };
  assert.deepEqual(await runTests(files), { code: 1, last: "3 passed, 4 failed" });
});

Deno.test("deno task test runs a few failing tests again, alone, and says what passed only then", async () => {
  // The first run leaves a file behind, and the second finds it.
  const busy = `const mark = new URL("./mark", import.meta.url);
    Deno.test("a", () => {});
    Deno.test('b <"> & / (c)', () => {
      try { Deno.statSync(mark); } catch { Deno.writeTextFileSync(mark, ""); throw new Error("busy"); }
    });`;
  // The report names the file that registers the test, which is not the one to run.
  const helper = busy.replace('Deno.test("a", () => {});', "export function register() {") + "}";
  const registering = `import { register } from "./helper.ts"; register(); Deno.test("a", () => {});`;
  const helped = await linesOf({ "passing_test.ts": PASSING, "helper.ts": helper, "busy_test.ts": registering });
  assert.deepEqual([helped.code, helped.lines.at(-1)], [0, "4 passed, 0 failed"]);
  const { code, lines } = await linesOf({ "passing_test.ts": PASSING, "busy_test.ts": busy });
  assert.deepEqual([code, lines.at(-1)], [0, "4 passed, 0 failed"]);
  assert.match(lines.at(-2) ?? "", /^passed only when it ran alone: .*busy_test\.ts => b <"> & \/ \(c\)$/);
  const broken = await linesOf({
    "passing_test.ts": PASSING,
    "busy_test.ts": busy,
    "broken_test.ts": `Deno.test("c", () => { throw new Error(); });`,
  });
  assert.deepEqual([broken.code, broken.lines.at(-1)], [1, "4 passed, 1 failed"]);
});

Deno.test("deno task test passes options on, and fails when nothing ran", async () => {
  assert.deepEqual(await runTests({ "a_test.ts": PASSING }, "--filter", "b"), { code: 0, last: "1 passed, 0 failed" });
  assert.deepEqual(await runTests({ "a_test.ts": PASSING }, "--filter", "none"), {
    code: 1,
    last: "0 passed, 0 failed",
  });
});

Deno.test("deno task test fails when a file does not type-check", async () => {
  assert.deepEqual(await runTests({ "a_test.ts": `${PASSING} const one: string = 1;` }), {
    code: 1,
    last: "0 passed, 1 failed",
  });
});

Deno.test("countTests() counts a test and its failed step once", () => {
  const failed = `<failure message="m">f</failure>`;
  const suite = (cases: string) => `<testsuite name="s" tests="1">${cases}</testsuite>`;
  const report = suite(`<testcase name="a">${failed}</testcase><testcase name="a &gt; b">${failed}</testcase>`) +
    suite(`<testcase name="a &gt; b" classname="s"></testcase><testcase name="c"><skipped/></testcase>`);
  assert.deepEqual(countTests(report), { passed: 1, failed: [{ file: "s", name: "a" }] });
  assert.deepEqual(countTests(""), { passed: 0, failed: [] });
});

Deno.test("the edge type check knows neither Deno nor Node", async () => {
  const { code, stderr } = await withDirectory(async (directory) => {
    const unknown = [`Deno.env.get("a")`, "process.env", `Buffer.from("a")`, "setTimeout(() => {}).unref()"];
    await Deno.writeTextFile(
      `${directory}/a.ts`,
      `export const it = [${unknown.join()}, fetch, crypto.subtle, new ReadableStream()];\n`,
    );
    return await deno("check", "--config", "scripts/edge.json", `${directory}/a.ts`);
  });
  assert.equal(code, 1);
  assert.match(stderr, /Found 4 errors/);
});

import assert from "node:assert/strict";
import { read, sourceFiles } from "./files.ts";

/** The published files, without the one file that may use time. */
const CHECKED = /^(mod\.ts|cli\/|core\/(?!time\/clock\.ts$)|drivers\/|http\/|dbos\/|otel\/|conformance\/|testing\/)/;

/** Names that always mean a timer or the time. */
const NAMES = new Set(["setTimeout", "setInterval", "setImmediate", "performance", "Temporal", "MessageChannel"]);

/** Properties of these objects that mean a timer or the time. */
const MEMBERS: Readonly<Record<string, string>> = { Date: "now", AbortSignal: "timeout", process: "hrtime" };

const plugin: Deno.lint.Plugin = {
  name: "time",
  rules: {
    clock: {
      create(context) {
        const report = (node: Deno.lint.Node) =>
          context.report({ node, message: "Only core/time/clock.ts reads the time or starts a timer" });
        const isDate = (node: Deno.lint.Node) => node.type === "Identifier" && node.name === "Date";
        return {
          Identifier(node) {
            if (NAMES.has(node.name)) report(node);
          },
          MemberExpression(node) {
            const { object, property } = node;
            if (
              object.type === "Identifier" && property.type === "Identifier" && MEMBERS[object.name] === property.name
            ) report(node);
          },
          NewExpression(node) {
            if (isDate(node.callee) && node.arguments.length === 0) report(node);
          },
          CallExpression(node) {
            if (isDate(node.callee)) report(node);
          },
        };
      },
    },
  },
};

function findings(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map(({ range: [start] }) =>
    `${path}:${source.slice(0, start).split("\n").length}`
  );
}

Deno.test("only core/time/clock.ts reads the time or starts a timer", () => {
  const files = sourceFiles().filter((path) => CHECKED.test(path));
  assert(files.length > 30, `only ${files.length} files were checked`);
  assert.deepEqual(files.flatMap((path) => findings(path, read(path))), []);
});

Deno.test("every way to read the time or start a timer is found", () => {
  const ways = [
    "Date.now()",
    "new Date()",
    "Date()",
    "performance.now()",
    "Temporal.Now.instant()",
    "setTimeout(run, 1)",
    "globalThis.setInterval(run, 1)",
    "setImmediate(run)",
    "new MessageChannel()",
    "AbortSignal.timeout(1)",
  ];
  assert.deepEqual(ways.filter((way) => findings("core/a.ts", way).length === 0), []);
  assert.deepEqual(findings("core/a.ts", "new Date(0); clock.now(); Date.parse(text); // Date.now()"), []);
  assert(findings("core/time/clock.ts", read("core/time/clock.ts")).length > 0);
});

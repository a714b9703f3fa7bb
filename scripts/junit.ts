/**
 * Counts the tests in a JUnit report of `deno test`.
 *
 * @module
 */

/** How many tests passed and failed. */
export interface Counts {
  passed: number;
  failed: number;
}

const SUITE = /<testsuite\s[^>]*>(.*?)<\/testsuite>/gs;
const CASE = /<testcase\s[^>]*?name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs;

/**
 * Counts tests. Ignored tests do not count, and neither do steps, which the report lists as `test >
 * step`.
 */
export function countTests(report: string): Counts {
  const counts: Counts = { passed: 0, failed: 0 };
  for (const [, suite = ""] of report.matchAll(SUITE)) {
    const names = new Set<string>();
    for (const [, name = "", body = ""] of suite.matchAll(CASE)) {
      if (isStepOf(names, name)) continue;
      names.add(name);
      if (/<(failure|error)\b/.test(body)) counts.failed++;
      else if (!/<skipped\b/.test(body)) counts.passed++;
    }
  }
  return counts;
}

/** Attribute values contain no bare `>`. */
function isStepOf(tests: ReadonlySet<string>, name: string): boolean {
  const parts = name.split(" &gt; ");
  return parts.some((_, index) => index > 0 && tests.has(parts.slice(0, index).join(" &gt; ")));
}

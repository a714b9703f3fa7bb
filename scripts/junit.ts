/**
 * Counts the tests in a JUnit report of `deno test`.
 *
 * @module
 */

/** How many tests passed, and which failed. */
export interface Counts {
  passed: number;
  failed: FailedTest[];
}

/** A test that failed. */
export interface FailedTest {
  /** As `deno test` names it: relative to its working directory. */
  readonly file: string;
  readonly name: string;
}

const SUITE = /<testsuite\s[^>]*?name="([^"]*)"[^>]*>(.*?)<\/testsuite>/gs;
const CASE = /<testcase\s[^>]*?name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs;
/**
 * An example in a document or a comment is a file of its own to `deno test`, with the lines of the
 * example after the name of the file that holds it.
 */
const EXAMPLE = /#\d+-\d+\.\w+$/;

/**
 * Counts tests. Ignored tests do not count, and neither do steps, which the report lists as `test >
 * step`.
 */
export function countTests(report: string): Counts {
  const counts: Counts = { passed: 0, failed: [] };
  for (const [, file = "", suite = ""] of report.matchAll(SUITE)) {
    const names = new Set<string>();
    for (const [, name = "", body = ""] of suite.matchAll(CASE)) {
      if (isStepOf(names, name)) continue;
      names.add(name);
      if (/<(failure|error)\b/.test(body)) {
        counts.failed.push({ file: withoutLines(unescape(file)), name: unescape(name) });
      } else if (!/<skipped\b/.test(body)) counts.passed++;
    }
  }
  return counts;
}

/** The file of a test, or of the document or module that has an example. */
export function withoutLines(file: string): string {
  return file.replace(EXAMPLE, "");
}

/** Attribute values contain no bare `>`. */
function isStepOf(tests: ReadonlySet<string>, name: string): boolean {
  const parts = name.split(" &gt; ");
  return parts.some((_, index) => index > 0 && tests.has(parts.slice(0, index).join(" &gt; ")));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] ?? "");
}

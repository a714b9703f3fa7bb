/**
 * Spans as a tree that a test can compare.
 *
 * @module
 */

/** The part of a span that the tree shows. */
interface Node {
  readonly name: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly links: readonly string[];
}

/**
 * The spans as lines, each below its parent and indented by it. `->` shows the spans to which it has
 * links. A span comes after those of its siblings that ended before.
 */
export function treeOf(spans: readonly Node[]): string[] {
  const ids = new Map(spans.map((span) => [span.spanId, span.name]));
  const show = (span: Node, depth: number): string[] => {
    const links = span.links.map((id) => ids.get(id) ?? "unknown");
    const line = `${"  ".repeat(depth)}${span.name}${links.length > 0 ? ` -> ${links.join(", ")}` : ""}`;
    return [line, ...spans.filter(({ parentId }) => parentId === span.spanId).flatMap((it) => show(it, depth + 1))];
  };
  return spans.filter(({ parentId }) => !ids.has(parentId ?? "")).flatMap((it) => show(it, 0));
}

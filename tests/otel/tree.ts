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
 * The spans as lines, each below its parent and indented by it. Siblings are in the order of their
 * texts. `->` shows the spans to which a span has links.
 */
export function treeOf(spans: readonly Node[]): string[] {
  const ids = new Map(spans.map((span) => [span.spanId, span.name]));
  const show = (siblings: readonly Node[], depth: number): string[][] =>
    siblings.map((span) => {
      const links = span.links.map((id) => ids.get(id) ?? "unknown");
      const line = `${"  ".repeat(depth)}${span.name}${links.length > 0 ? ` -> ${links.join(", ")}` : ""}`;
      return [line, ...show(spans.filter(({ parentId }) => parentId === span.spanId), depth + 1).flat()];
    }).toSorted((a, b) => a.join("\n") < b.join("\n") ? -1 : 1);
  return show(spans.filter(({ parentId }) => !ids.has(parentId ?? "")), 0).flat();
}

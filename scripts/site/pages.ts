/**
 * The pages of the site, made from the documents of the repository.
 *
 * @module
 */

/** The documents outside of `docs/` that become pages, by their paths in the repository. */
const PAGES: Readonly<Record<string, string>> = {
  "README.md": "index.md",
  "CHANGELOG.md": "changelog.md",
  "CONTRIBUTING.md": "contributing.md",
  "drivers/README.md": "drivers.md",
};

/** Where a file of the repository is on the site; `undefined` if it is not there. */
export function pageOf(path: string): string | undefined {
  if (path in PAGES) return PAGES[path];
  return path.startsWith("docs/") && /\.(md|svg|webp)$/.test(path) ? path.slice("docs/".length) : undefined;
}

/** A link in Markdown, or the target of an image in HTML. */
const LINK = /(?<!`)(!?)\[([^\]]*)\]\(([^)\s]+)\)|\b(src|srcset)="([^"]+)"/g;

/**
 * Rewrites the links of a document. A link to another page stays one. A link to any other file leads
 * to the repository, or becomes plain text if its URL is not known.
 *
 * @param path The document's path in the repository.
 * @param repository The URL of the repository.
 */
export function toPage(path: string, text: string, repository: string | undefined): string {
  const from = pageOf(path)!;
  return text.split(/(^```[^]*?^```$)/m).map((part, index) =>
    // Every other part is a block of code.
    index % 2 === 1 ? part : part.replace(LINK, (whole, bang, label, target, attribute, source) => {
      const url: string = target ?? source;
      if (/^([a-z]+:|#)/.test(url)) return whole;
      const [file = "", anchor] = url.split("#");
      const resolved = decodeURIComponent(new URL(file, `repository:///${path}`).pathname.slice(1));
      const page = pageOf(resolved);
      const behind = anchor === undefined ? "" : `#${anchor}`;
      if (page !== undefined) {
        const up = "../".repeat(from.split("/").length - 1);
        const link = `${up === "" ? "./" : up}${page}${behind}`;
        return attribute ? `${attribute}="${link}"` : `${bang}[${label}](${link})`;
      }
      return repository ? `${bang}[${label}](${repository}/blob/main/${resolved}${behind})` : label;
    })
  ).join("");
}

/// <reference lib="dom" />
/**
 * Makes elements. Text becomes text nodes and never HTML, so a value of a workflow cannot become
 * part of the page.
 *
 * @module
 */

/** What an element may contain. */
export type Child = Node | string | number | false | null | undefined;

/** Attributes, properties that start with `.`, and listeners that start with `on`. */
export type Attributes = Record<string, unknown>;

/**
 * Makes an element.
 *
 * @param tag The element's name, and a class after a dot, as in `p.note`.
 * @param attributes An attribute that is `false`, `null` or `undefined` is left out.
 * @param children What the element contains.
 */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag | `${Tag}.${string}`,
  attributes: Attributes = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[Tag] {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name as Tag);
  if (classes.length > 0) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value as EventListener);
    else if (key.startsWith(".")) Object.assign(made, { [key.slice(1)]: value });
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  fill(made, ...children);
  return made;
}

/** Replaces what an element contains. */
export function fill(parent: Element, ...children: (Child | Child[])[]): void {
  const nodes = children.flat().filter((child) => child !== false && child !== null && child !== undefined);
  parent.replaceChildren(...nodes.map((child) => child instanceof Node ? child : String(child)));
}

/**
 * Makes elements the children of their parent, in this order. Those that are in their place are not
 * touched, so they keep the focus and how far they are scrolled.
 */
export function arrange(parent: Element, children: Iterable<Element>): void {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const child of kept) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

/** A button. */
export function button(text: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return element("button", { type: "button", onclick: onClick, ...attributes }, text);
}

/** The section of a page, named by its heading. */
export function section(name: string, ...children: (Child | Child[])[]): HTMLElement {
  const id = `section-${name.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return element("section", { "aria-labelledby": id }, element("h2", { id }, name), ...children);
}

/** A cell, which names its column itself where the screen is too narrow for columns. */
export function cell(column: string, ...children: (Child | Child[])[]): HTMLTableCellElement {
  return element("td", { "data-column": column }, ...children);
}

/** A table with a caption for those who do not see it. */
export function table(caption: string, columns: readonly string[], rows: readonly HTMLTableRowElement[]): HTMLElement {
  return element(
    "div.scroll",
    { tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, columns.map((column) => element("th", { scope: "col" }, column)))),
      element("tbody", {}, [...rows]),
    ),
  );
}

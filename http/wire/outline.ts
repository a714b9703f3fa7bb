/**
 * What a body in the library's own encoding says of whom it concerns, without its values being made.
 *
 * devalue writes a list of parts, of which the first is the whole; a part refers to others by their index. Making values of them costs up to seconds
 * for a megabyte, as with a map whose keys collide. So strangers are turned away on the strength of this, which takes one look at each part.
 *
 * @module
 */

/** The members that name a workflow or a queue, of a body or of one of its messages. */
const NAMES = ["workflowId", "destinationId", "topic"];

type Fields = Record<string, unknown>;

/**
 * The members of a body that say whom it concerns, and those of its `messages`.
 *
 * @param parts What devalue wrote, parsed as JSON. It may be anything.
 * @returns What is likely to be the value's outline. It has to be compared with the value: a body can be made that is something else.
 */
export function outline(parts: unknown): unknown {
  if (!Array.isArray(parts) || !isFields(parts[0])) return undefined;
  const at = (index: unknown): unknown => typeof index === "number" ? parts[index] : undefined;
  const [root] = parts;
  const messages = Object.hasOwn(root, "messages") ? at(root.messages) : undefined;
  if (!Array.isArray(messages)) return named(root, at);
  // Each once: a list may name one part a million times.
  const seen = new Map<unknown, unknown>();
  const message = (index: unknown) => {
    if (!seen.has(index)) seen.set(index, named(at(index), at));
    return seen.get(index);
  };
  return { ...named(root, at), messages: messages.map(message) };
}

function named(part: unknown, at: (index: unknown) => unknown): Fields {
  if (!isFields(part)) return {};
  return Object.fromEntries(NAMES.filter((name) => Object.hasOwn(part, name)).map((name) => [name, at(part[name])]));
}

function isFields(part: unknown): part is Fields {
  return typeof part === "object" && part !== null && !Array.isArray(part);
}

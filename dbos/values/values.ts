/**
 * Reads the values that DBOS apps of every language have written.
 *
 * @module
 */

import { UnreadableValueError } from "../../core/errors.ts";
import type { Decoder } from "../../core/read/host.ts";
import { reviveError } from "../../core/values/serialized_error.ts";
import { PORTABLE } from "./portable.ts";
import { fromStored, type Stored } from "./stored.ts";
import { looksLikeSuperjson, readSuperjson } from "./superjson.ts";

/**
 * Decodes the texts of formats that are not known here, by the name beside each value.
 *
 * @category DBOS
 */
export type DbosDecoders = Readonly<Record<string, (text: string) => unknown>>;

/** Go's default format, which is base64 of JSON. */
const GO_JSON = "DBOS_JSON";

/** The formats that can be read here. */
const READERS: DbosDecoders = {
  [PORTABLE]: JSON.parse,
  js_superjson: readSuperjson,
  [GO_JSON]: readGoJson,
};

/** What writes the formats that cannot be read here. */
const WRITERS: Readonly<Record<string, string>> = {
  DBOS_GOB: "Go's gob",
  py_pickle: "Python's pickle",
  java_jackson: "Jackson with Java's types",
};

/** The value of `nil`, as Go writes it. */
const GO_NIL = "__DBOS_NIL";

function readGoJson(text: string): unknown {
  if (text === GO_NIL) return null;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const json = new TextDecoder(undefined, { fatal: true }).decode(bytes);
  return json === GO_NIL ? null : JSON.parse(json);
}

/** Decodes values. */
export class DbosValues implements Decoder {
  readonly #decoders: DbosDecoders;

  constructor(decoders: DbosDecoders) {
    this.#decoders = { ...READERS, ...decoders };
  }

  /**
   * Decodes what `toStored` has joined.
   *
   * @throws {UnreadableValueError} If it cannot be decoded here. The error has no part of it.
   */
  decode(joined: string, what: string = "value", at?: number): unknown {
    const stored = fromStored(joined);
    const read = this.#decoderOf(stored);
    const needs = read ? undefined : needed(stored.format);
    try {
      if (read) return shaped(stored, read(stored.text));
    } catch {
      // No cause, because a decoder's error may quote the text.
    }
    throw new UnreadableValueError(what, { ...(at !== undefined && { at }), ...(needs !== undefined && { needs }) });
  }

  #decoderOf({ format, text }: Stored): ((text: string) => unknown) | undefined {
    if (Object.hasOwn(this.#decoders, format)) return this.#decoders[format];
    return format === "" && looksLikeSuperjson(text) ? readSuperjson : undefined;
  }
}

/** Says what would make a value of another format readable. */
function needed(format: string): string {
  const name = format === "" ? "the serializer of its app" : WRITERS[format] ?? JSON.stringify(format.slice(0, 40));
  return `${name}; let the workflow write portable values, or give a decoder`;
}

function shaped({ kind, format }: Stored, value: unknown): unknown {
  if (kind === "input") return toInput(value, format);
  return kind === "error" ? toError(value) : value;
}

/** The only argument of a workflow; all of them if there is another number or some have names. */
function toInput(value: unknown, format: string): unknown {
  // A workflow in Go has one argument, which is not in a list.
  if (format === GO_JSON) return value;
  const { positionalArgs, namedArgs } = Object(value) as { positionalArgs?: unknown; namedArgs?: unknown };
  const isPortable = format === PORTABLE && (Array.isArray(positionalArgs) || namedArgs !== undefined);
  if (isPortable && Object.keys(Object(namedArgs)).length > 0) return value;
  const args = isPortable ? positionalArgs : value;
  if (!Array.isArray(args)) return args;
  return args.length === 0 ? undefined : args.length === 1 ? args[0] : args;
}

/** What errors and their parts have become, by what they were. A value may hold itself. */
type Converted = Map<unknown, unknown>;

/** An error as an `Error`. Neither it nor an error within it has the stack of the app. */
function toError(value: unknown, converted: Converted = new Map()): Error {
  const error = new Error();
  converted.set(value, error);
  // Old versions of the TypeScript SDK leave a mark of their own in an error.
  const { name, message, stack: _, cause, errors: __, dbos_already_logged: ___, ...fields } = Object(
    typeof value === "string" ? { message: value } : value,
  );
  const known = Object.entries(fields as Record<string, unknown>)
    .filter(([, field]) => field !== undefined && field !== null)
    .map(([key, field]) => [key, withoutStacks(field, converted)]);
  return reviveError({
    name: typeof name === "string" ? name : "Error",
    message: typeof message === "string" ? message : "",
    ...(cause !== undefined && { cause: toCause(cause, converted) }),
    ...(known.length > 0 && { fields: Object.fromEntries(known) }),
  }, error);
}

/** A cause needs no stack to be an error. */
function toCause(cause: unknown, converted: Converted): unknown {
  const isError = typeof cause === "object" && cause !== null && "message" in cause && !converted.has(cause);
  return isError ? toError(cause, converted) : withoutStacks(cause, converted);
}

/** Converts the errors in a field, or in lists and objects of it. Without a stack, an object may be data. */
function withoutStacks(value: unknown, converted: Converted): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (converted.has(value)) return converted.get(value);
  if (value instanceof Error || "stack" in value) return toError(value, converted);
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    converted.set(value, items);
    for (const item of value) items.push(withoutStacks(item, converted));
    return items;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const members: Record<string, unknown> = {};
  converted.set(value, members);
  for (const [key, member] of Object.entries(value)) {
    // A plain assignment would set the prototype, if the key is "__proto__".
    Object.defineProperty(members, key, {
      value: withoutStacks(member, converted),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return members;
}

/**
 * Errors without their stacks, which name the server's files.
 *
 * @module
 */

/**
 * A copy of a value in which no error has a stack, however deep it lies: as a cause, among the errors of an `AggregateError`, in a field.
 *
 * @param value An error, or what one holds: whatever the store can keep.
 */
export function withoutStacks<T>(value: T): T {
  return copy(value, new Map()) as T;
}

/** @param copies What was copied so far: a value may hold a part twice, or itself. */
function copy(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known) return known;
  const empty = emptyCopy(value);
  if (!empty) return value;
  copies.set(value, empty);
  // The keys alone: a list may have billions of holes.
  for (const key of Reflect.ownKeys(value)) {
    if (key === "stack" && value instanceof Error) continue;
    const { enumerable = true } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    const part = copy(Reflect.get(value, key), copies);
    Object.defineProperty(empty, key, {
      value: part,
      enumerable,
      configurable: !(key === "length" && Array.isArray(value)),
      writable: true,
    });
  }
  return empty;
}

/** Something of the same kind for the parts; `undefined` for what is no error and holds none that is the library's to show. */
function emptyCopy(value: object): object | undefined {
  if (Array.isArray(value)) return [];
  const prototype = Object.getPrototypeOf(value);
  const hasFields = value instanceof Error || prototype === Object.prototype || prototype === null;
  return hasFields ? Object.create(prototype) : undefined;
}

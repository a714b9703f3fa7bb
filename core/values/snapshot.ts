/**
 * Copies values, so that their owner may change them.
 *
 * @module
 */

import { MAX_DEPTH } from "./codec.ts";

/**
 * Copies a value, so that later changes to the value have no effect.
 *
 * Arrays, plain objects, maps, sets, dates and binary data are copied, down to the depth that can
 * be stored. An instance of any other class is not copied, because only its class knows how. So do
 * not change such an instance until the operation that takes it has settled.
 *
 * @param value The value.
 * @returns The copy, with the same repeated and cyclic references.
 */
export function snapshot<T>(value: T): T {
  return copy(value, new Map(), 0) as T;
}

function copy(value: unknown, copies: Map<object, object>, depth: number): unknown {
  // A value that is nested deeper than `MAX_DEPTH` is not copied, because the stack is finite. The
  // codec will refuse it.
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  const known = copies.get(value);
  if (known) return known;
  const keep = <T extends object>(container: T): T => (copies.set(value, container), container);
  const part = (it: unknown) => copy(it, copies, depth + 1);
  switch (Object.getPrototypeOf(value)) {
    case Array.prototype:
    case Object.prototype:
    case null: {
      // Properties are copied one by one, so that a sparse array stays sparse. A property that
      // cannot be stored is kept, so that the codec refuses it.
      const container = keep(
        Array.isArray(value) ? new Array(value.length) : Object.create(Object.getPrototypeOf(value)),
      );
      for (const key of Reflect.ownKeys(value)) {
        if (!Object.prototype.propertyIsEnumerable.call(value, key)) continue;
        Object.defineProperty(container, key, {
          value: part(Reflect.get(value, key)),
          writable: true,
          enumerable: true,
          configurable: true,
        });
      }
      return container;
    }
    case Map.prototype: {
      const container = keep(new Map());
      for (const [key, it] of value as Map<unknown, unknown>) container.set(part(key), part(it));
      return container;
    }
    case Set.prototype: {
      const container = keep(new Set());
      for (const it of value as Set<unknown>) container.add(part(it));
      return container;
    }
    case Date.prototype:
      return keep(new Date((value as Date).getTime()));
    default:
      return keep(copyOfBinary(value) ?? value);
  }
}

/**
 * Copies binary data. Of a view's buffer, it copies only the part that the view shows. In Node, for
 * example, several `Buffer`s share one buffer.
 */
function copyOfBinary(value: object): object | undefined {
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof DataView) {
    return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
  }
  // This calls the `slice` of typed arrays, because the `slice` of `Buffer` does not copy.
  return ArrayBuffer.isView(value) ? Uint8Array.prototype.slice.call(value) : undefined;
}

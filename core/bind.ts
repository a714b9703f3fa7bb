/**
 * Methods that can be taken off their object.
 *
 * @module
 */

/** Binds methods to their object, for code that writes `({ step, recv }) => ...`. */
export function bindMethods<T extends object>(object: T, names: readonly (keyof T)[]): void {
  for (const name of names) {
    const method = object[name];
    if (typeof method === "function") Object.defineProperty(object, name, { value: method.bind(object) });
  }
}

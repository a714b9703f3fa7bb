/**
 * Methods that work without their object.
 *
 * @module
 */

/** Binds the methods of its class to an object, for code that writes `({ step, recv }) => ...`. */
export function bindMethods(object: object): void {
  const prototype = Object.getPrototypeOf(object);
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (name !== "constructor") Object.defineProperty(object, name, { value: prototype[name].bind(object) });
  }
}

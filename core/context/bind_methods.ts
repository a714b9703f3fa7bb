/**
 * Lets methods be called without their object.
 *
 * @module
 */

/** Binds an object's methods to it, so that code can write `({ step, recv }) => ...`. */
export function bindMethods(object: object): void {
  const prototype = Object.getPrototypeOf(object);
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (name !== "constructor") Object.defineProperty(object, name, { value: prototype[name].bind(object) });
  }
}

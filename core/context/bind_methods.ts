/**
 * Lets code take methods out of an object, or wrap the object.
 *
 * @module
 */

/**
 * Binds an object's methods and getters to the object. Code can then write
 * `({ step, recv }) => ...`, or put a `Proxy` around the object.
 */
export function bindMethods(object: object): void {
  const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(object));
  for (const [name, { value, get }] of Object.entries(members)) {
    if (name === "constructor") continue;
    Object.defineProperty(object, name, get ? { get: get.bind(object) } : { value: value.bind(object) });
  }
}

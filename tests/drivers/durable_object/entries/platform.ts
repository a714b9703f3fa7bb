/**
 * What the suites expect of Deno, for workerd. It has to be imported before them.
 *
 * @module
 */

const deno = { env: { get: () => undefined } };
Object.assign(globalThis, { Deno: deno });

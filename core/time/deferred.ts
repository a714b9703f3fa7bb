/**
 * A promise that other code settles.
 *
 * @module
 */

/** Works like `Promise.withResolvers()`, which Node 20 lacks. */
export function deferred<T>(): PromiseWithResolvers<T> {
  let resolve!: PromiseWithResolvers<T>["resolve"];
  let reject!: PromiseWithResolvers<T>["reject"];
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

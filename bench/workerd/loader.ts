/**
 * A Worker that answers each request through a fresh isolate, in its own process.
 *
 * @module
 */

/** The code of a Worker, as a binding of Cloudflare's for dynamic Workers takes it. */
interface WorkerCode {
  readonly compatibilityDate: string;
  readonly mainModule: string;
  readonly modules: Readonly<Record<string, string>>;
  readonly env: unknown;
}

/** What `main.ts` sets. */
interface Env {
  readonly LOADER: {
    get(id: string, code: () => WorkerCode): { getEntrypoint(): { fetch(request: Request): Promise<Response> } };
  };
  /** The module of the Worker to load. */
  readonly CODE: string;
  /** Its environment. */
  readonly INNER: unknown;
  readonly COMPATIBILITY_DATE: string;
}

export default {
  async fetch(request: Request, { LOADER, CODE, INNER, COMPATIBILITY_DATE }: Env): Promise<Response> {
    // An ID that is not known yet has no isolate yet.
    const worker = LOADER.get(crypto.randomUUID(), () => ({
      compatibilityDate: COMPATIBILITY_DATE,
      mainModule: "worker.js",
      modules: { "worker.js": CODE },
      env: INNER,
    }));
    return await worker.getEntrypoint().fetch(request);
  },
};

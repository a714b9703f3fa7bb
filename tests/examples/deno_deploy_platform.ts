/**
 * What the platform has and this machine lacks, loaded before the example: Neon, and a cron that does not wait for the next minute.
 *
 * @module
 */

const { http, websocket, cronMs }: { http: string; websocket: string; cronMs: number } = JSON.parse(
  Deno.env.get("PLATFORM")!,
);

const originalFetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const { hostname } = new URL(input instanceof Request ? input.url : input);
  return originalFetch(hostname.endsWith(".neon.test") ? http : input, init);
};

const OriginalWebSocket = globalThis.WebSocket;
globalThis.WebSocket = class extends OriginalWebSocket {
  constructor(...[url, protocols]: ConstructorParameters<typeof WebSocket>) {
    super(new URL(url).hostname.endsWith(".neon.test") ? websocket : url, protocols);
  }
};

// Each job runs again and again, and never beside itself.
Deno.cron = ((name: string, schedule: string, job: () => Promise<void>) => {
  if (!/^\S+ \S+ \S+ \S+ \S+$/.test(schedule)) throw new Error(`The cron job ${name} has the schedule ${schedule}`);
  const again = () => setTimeout(() => job().finally(again), cronMs);
  again();
  return Promise.resolve();
}) as typeof Deno.cron;

/**
 * A DBOS app, which knows nothing of Parley. It prints `ready` once it runs.
 *
 * @module
 */

import process from "node:process";

/** The part of `DBOS` that the app uses. */
interface Dbos {
  setConfig(config: Readonly<Record<string, unknown>>): void;
  launch(): Promise<void>;
  registerWorkflow<A>(run: (input: A) => Promise<unknown>, options: { name: string }): unknown;
  runStep<T>(run: () => Promise<T>, options: { name: string }): Promise<T>;
  setEvent(key: string, value: unknown): Promise<void>;
  writeStream(key: string, value: unknown): Promise<void>;
  closeStream(key: string): Promise<void>;
  recv(topic: string, timeoutSeconds: number): Promise<unknown>;
}

/** Longer than any case waits. */
const TIMEOUT_SECONDS = 3_600;

/** Runs the app over a database. */
export async function runApp(url: string, packageName: string): Promise<void> {
  const { DBOS }: { DBOS: Dbos } = await import(packageName);
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error", runAdminServer: false });
  DBOS.registerWorkflow(async ({ values }: { values: number }) => {
    for (let index = 0; index < 10; index++) {
      await DBOS.runStep(() => Promise.resolve(index), { name: `step ${index}` });
    }
    await DBOS.setEvent("ready", "yes");
    for (let index = 0; index < values; index++) await DBOS.writeStream("log", index);
    await DBOS.closeStream("log");
    return values;
  }, { name: "publish" });
  DBOS.registerWorkflow(async () => {
    // The time at which the value is set, by the clock of this machine.
    for (;;) {
      const key = await DBOS.recv("set", TIMEOUT_SECONDS);
      await DBOS.setEvent(String(key), Date.now());
    }
  }, { name: "publisher" });
  DBOS.registerWorkflow(async () => await DBOS.recv("never", TIMEOUT_SECONDS), { name: "waiting" });
  await DBOS.launch();
  process.stdin.resume().on("end", () => process.exit());
  console.log("ready");
}

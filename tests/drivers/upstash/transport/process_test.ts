import assert from "node:assert/strict";
import { LOCK } from "../../../../scripts/deno.ts";
import { transportTest } from "../support/setting.ts";

/** Waits until a hint arrives. The argument says how to pass the database. */
const PROGRAM = `
  import { Redis } from "@upstash/redis";
  import { delay, systemClock as clock } from "./core/time/clock.ts";
  import { upstashPush, UPSTASH_TIMING } from "./drivers/upstash/transport/push.ts";
  import { openTransport } from "./drivers/upstash/transport/open_transport.ts";
  const [way, url, token, channel] = Deno.args;
  const transport = openTransport(way === "own" ? { url, token } : new Redis({ url, token }), { timeoutMs: 10_000, clock });
  const timing = { ...UPSTASH_TIMING, lingerMs: 100 };
  const push = upstashPush({ transport, channel, timeoutMs: 10_000, clock, timing, report: console.error });
  let hints = 0;
  for (let round = 1; round <= 2; round++) {
    const hinted = Promise.withResolvers();
    const watch = push.watch("inbox:w", () => ++hints === 2 * round && hinted.resolve());
    while (!watch.live) await delay(clock, 5);
    await transport.send(["PUBLISH", channel, '["inbox:w"]'], "test");
    await hinted.promise;
    for (let n = 0; n < 5; n++) {
      gc();
      await delay(clock, 20);
    }
    watch.close();
    if (round === 1) await push.idle;
  }
  console.log("done at", Date.now());
`;

for (const way of ["own", "the package's"]) {
  transportTest(
    `a process that waits no more ends, also if garbage was collected meanwhile: ${way}`,
    async ({ server, channel, relay }) => {
      const args = [
        "run",
        LOCK,
        "--v8-flags=--expose-gc",
        "-A",
        "-",
        way,
        relay.through(server.url),
        server.token,
        channel,
      ];
      const root = new URL("../../../../", import.meta.url);
      const child = new Deno.Command(Deno.execPath(), {
        args,
        cwd: root,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const stop = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(PROGRAM));
      await writer.close();
      const { code, stdout, stderr } = await child.output();
      clearTimeout(stop);
      const [out, err] = [new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)];
      assert.equal(code, 0, out + err);
      const lateMs = Date.now() - Number(/done at (\d+)/.exec(out)?.[1]);
      assert(lateMs < 1_500, `it ended ${lateMs} ms after the last watch, and the connection lingers for 100 ms`);
      assert.deepEqual([err, server.requests.subscribe], ["", 2]);
    },
  );
}

import assert from "node:assert/strict";
import { event, topic } from "../../../core/channel.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { validate } from "../../../core/values/values.ts";
import { workflow } from "../../../core/workflow.ts";
import { settle, setup } from "../setup.ts";

/** A schema that never answers. */
const never: StandardSchemaV1<unknown, number> = {
  "~standard": { version: 1, vendor: "test", validate: () => new Promise<never>(() => {}) },
};

const state = event("state", never);

Deno.test("a schema that never settles refuses its value after 10 s, and delays later operations until then", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => {
    const stuck = ctx.setEvent(state, 1).catch((error) => error.message);
    await ctx.setEvent("later", 2);
    return await stuck;
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.pass(9_900);
  await assert.rejects(handle.getEvent("later", { timeout: 0 }), { code: "timeout" });
  const start = clock.now();
  const expected = 'Checking the value of event "state": its schema must settle within 10 s, and has not';
  assert.equal(await world.until(handle.result()), expected);
  assert.equal(await handle.getEvent("later"), 2);
  assert(clock.now() - start <= 200);
  await world.until(parley.idle());
  assert.equal(clock.pending, 0);
});

Deno.test("a schema that never settles refuses a message or an input from outside after 10 s, and names it", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", (_ctx, input: number) => input, { input: never });
  const { parley, driver } = world.isolate(0, [flow]);
  const sending = parley.send("w", 1, { topic: topic("news", never) }).catch((error) => error);
  const starting = parley.start(flow, 1).catch((error) => error);
  await settle();
  await world.pass(10_000);
  assert.match((await sending).message, /^Checking the message of topic "news": its schema must settle within 10 s/);
  assert.match((await starting).message, /^Checking the input of workflow "[^"]+": its schema must settle within 10 s/);
  assert.equal((await sending).code, "invalid_value");
  assert.deepEqual([driver.calls, clock.pending], [0, 0]);
});

Deno.test("validate() leaves no timer of the runtime if an asynchronous schema accepts, refuses or throws", async () => {
  for (
    const answer of [
      () => Promise.resolve({ value: 1 }),
      () => Promise.resolve({ issues: [{ message: "no" }] }),
      () => Promise.reject(new Error()),
    ]
  ) {
    const schema: StandardSchemaV1<unknown, number> = { "~standard": { version: 1, vendor: "test", validate: answer } };
    await validate(schema, 1, "value").catch(() => {});
  }
});

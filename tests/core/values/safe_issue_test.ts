import assert from "node:assert/strict";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { validate } from "../../../core/values/values.ts";
import { event, memoryDriver, Parley, stream, topic, workflow } from "../../../mod.ts";

type Schema = StandardSchemaV1<unknown, unknown>;

/** Issues of schemas that refuse a value. */
const REFUSALS: [Schema, unknown, string][] = [
  [v.object({ a: v.string() }), { a: 4_242 }, "Invalid type: Expected string"],
  [v.object({ a: v.string() }), {}, 'Invalid key: Expected "a" but received undefined'],
  [v.string(), undefined, "Invalid type: Expected string but received undefined"],
  [v.pipe(v.string(), v.email()), "hunter2", "Invalid email"],
  [v.pipe(v.number(), v.minValue(5_000)), 4_242, "Invalid value: Expected >=5000"],
  [v.picklist(["a", "b"]), "hunter2", 'Invalid type: Expected ("a" | "b")'],
  [v.strictObject({}), { hunter2: 1 }, "Invalid key: Expected never"],
  [v.instance(Date), "but received hunter2", "Invalid type: Expected Date"],
  [v.pipe(v.string(), v.check(() => false, "hunter2")), "hunter2", "…"],
  [v.pipe(v.string(), v.check(() => false, ({ input }) => `no such user: ${input}`)), "hunter2", "no such user: …"],
  [z.object({ a: z.string() }), { a: 4_242 }, "Invalid input: expected string, received number"],
  [z.email(), "hunter2", "Invalid email address"],
  [z.number().min(5_000), 4_242, "Too small: expected number to be >=5000"],
  [z.enum(["a", "b"]), "hunter2", 'Invalid option: expected one of "a"|"b"'],
  [z.strictObject({}), { hunter2: 1 }, "Unrecognized key"],
  [z.string().refine(() => false, { error: ({ input }) => `no such user: ${input}` }), "hunter2", "no such user: …"],
  [type({ a: "string" }), { a: 4_242 }, "a must be a string (was a number)"],
  [type("string"), undefined, "must be a string (was undefined)"],
  [type("string.email"), "hunter2", "must be an email address"],
  [type("string.email"), "(was hunter2)", "must be an email address"],
  [type("number >= 5000"), 4_242, "must be at least 5000"],
  [type("'a' | 'b'"), "hunter2", 'must be "a" or "b"'],
];

Deno.test("a refusal by Valibot, Zod or ArkType tells what was expected, and nothing about the value", async () => {
  for (const [schema, value, message] of REFUSALS) {
    const error = await validate(schema, value, "message").then(() => assert.fail(), (error) => error);
    assert.equal(error.issues[0].message, message);
    assert.equal(Object.getPrototypeOf(error.issues[0].path ?? []), Array.prototype);
    assert(!/hunter2|4_?242/.test(error.issues[0].message), message);
  }
});

Deno.test("an invalid Standard Schema is refused when the channel or workflow is defined", () => {
  const typeBox = { type: "string", "~kind": "String" };
  const effect = Object.assign(() => {}, { ast: {}, annotations: () => {} });
  const none = [typeBox, effect, {}, null, 0, "string", [], { "~standard": 1 }, {
    "~standard": { version: 2, validate: () => {} },
  }, {
    "~standard": { version: 1 },
  }];
  for (const schema of none as Schema[]) {
    const refusal = (what: string) => ({
      code: "invalid_value",
      message: new RegExp(`^Defining the ${what}: .*Schema\\.standardSchemaV1`),
    });
    assert.throws(() => topic("a", schema), refusal('topic "a"'));
    assert.throws(() => event("a", schema), refusal('event "a"'));
    assert.throws(() => stream("a", schema), refusal('stream "a"'));
    assert.throws(() => workflow("a", () => {}, { input: schema }), refusal('input of workflow "a"'));
  }
  for (const schema of [v.string(), z.string(), type("string")]) topic("a", schema as Schema);
});

Deno.test("defaults and transforms of Valibot, Zod and ArkType are applied once, at the sender", async () => {
  const schemas: Schema[] = [
    v.pipe(v.string(), v.transform((text) => `${text}!`)),
    z.string().transform((text) => `${text}!`),
    type("string").pipe((text) => `${text}!`) as Schema,
  ];
  for (const schema of schemas) {
    const flow = workflow("flow", async (ctx, input) => {
      await ctx.setEvent(event("e", schema), "event");
      await ctx.writeStream(stream("s", schema), "stream");
      return [input, await ctx.recv("t")];
    }, { input: schema });
    await using parley = new Parley({ driver: memoryDriver(), workflows: [flow] });
    const handle = await parley.start(flow, "input");
    await handle.send("message", { topic: topic("t", schema) });
    assert.deepEqual(await handle.result(), ["input!", "message!"]);
    assert.equal(await handle.getEvent("e"), "event!");
    assert.deepEqual((await handle.readStream("s").collect()).values, ["stream!"]);
  }
});

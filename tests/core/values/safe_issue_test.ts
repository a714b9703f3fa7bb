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

const words = async (schema: Schema, value: unknown): Promise<string> => {
  const error = await validate(schema, value, 'message of topic "t"').then(() => assert.fail(), (error) => error);
  // The path of an issue may have keys of the value. It is not printed.
  for (const text of [Deno.inspect(error), ...error.issues.map((issue: StandardSchemaV1.Issue) => issue.message)]) {
    assert(!/hunter|4_?242|secret/i.test(text), text);
  }
  const [, shown] = /^Checking the message of topic "t": its schema refuses it (.*)$/.exec(error.message) ?? [];
  return shown ?? assert.fail(error.message);
};

const BAD = { card: "hunter2", n: 4242, extra: { "hunter 2": 1 }, list: ["x", 3] };

Deno.test("the message of a refusal has the places and the words of Valibot, Zod or ArkType, and no values", async () => {
  const valibot = v.object({
    card: v.pipe(v.string(), v.email()),
    n: v.pipe(v.number(), v.maxValue(100)),
    extra: v.record(v.string(), v.string()),
    list: v.array(v.string()),
  });
  assert.equal(
    await words(valibot, BAD),
    'at card ("Invalid email"), at n ("Invalid value: Expected <=100"), ' +
      'at extra.… ("Invalid type: Expected string"), at list.1 ("Invalid type: Expected string")',
  );
  const zod = z.object({
    card: z.email(),
    n: z.number().max(100),
    extra: z.record(z.string(), z.string()),
    list: z.array(z.string()),
  });
  assert.equal(
    await words(zod, BAD),
    'at card ("Invalid email address"), at n ("Too big: expected number to be <=100"), ' +
      'at extra.… ("Invalid input: expected string, received number"), ' +
      'at list.1 ("Invalid input: expected string, received number")',
  );
  const ark = type({
    card: "string.email",
    n: "number<100",
    extra: "Record<string,string>",
    list: "string[]",
  });
  const said = await words(ark, BAD);
  assert.match(said, /at card \("must be an email address"\)/);
  assert.match(said, /at n \("must be less than 100"\)/);
  assert.match(said, /at extra\.… \(.*must be a string \(was a number\)"\)/);
  assert.equal(await words(v.string(), 4242), '("Invalid type: Expected string")');
});

Deno.test("unknown keys and the keys of maps are not shown", async () => {
  const unknown = { hunter2: 1 };
  assert.equal(await words(v.strictObject({}), unknown), 'at … ("Invalid key: Expected never")');
  assert.equal(await words(z.strictObject({}), unknown), '("Unrecognized key")');
  assert.equal(await words(type({ "+": "reject" }), unknown), 'at … ("must be removed")');
  const map = new Map([["hunter2", "x"]]);
  assert.equal(await words(v.map(v.string(), v.number()), map), 'at … ("Invalid type: Expected number")');
  assert.match(await words(z.map(z.string(), z.number()), map), /^at … \("Invalid input: expected number/);
});

Deno.test("whatever the author of a schema quotes of the value is removed", async () => {
  const quoting = (quote: (input: typeof value) => string): Schema =>
    v.pipe(v.any(), v.check(() => false, ({ input }) => quote(input as typeof value)));
  const value = {
    name: "Hunter S.",
    mail: "hunter2@secret.example",
    cards: new Map([["4242 4242", { number: 4242424242424242n }]]),
    day: new Date(Date.UTC(2042, 3, 2)),
    type: "string",
  };
  const quotes: [quote: (input: typeof value) => string, shown: string][] = [
    [({ name }) => `no such user: ${name}`, "no such user: …."],
    [({ name }) => `${name.toUpperCase()} must be a string`, "…. must be a string"],
    [({ mail }) => `the domain ${mail.split("@")[1]} is closed`, "the domain ….… is closed"],
    [({ cards }) => `the card ${[...cards.keys()][0]} is unknown`, "the card … is unknown"],
    [({ cards }) => `the card ends in ${[...cards.values()][0]!.number % 10_000n}`, "the card ends in …"],
    [({ day }) => `${day.toJSON()} is a holiday`, "… is a holiday"],
  ];
  for (const [quote, shown] of quotes) assert.equal(await words(quoting(quote), value), `("${shown}")`);
});

Deno.test("a refusal with many or long issues has a short message", async () => {
  const said = await words(z.array(z.string()), Array.from({ length: 200_000 }, (_, n) => n));
  assert.match(said, /^at 0 \(.*at 4 \([^)]*\), and 995 more$/);
  const long = v.pipe(v.string(), v.check(() => false, "words ".repeat(1_000)));
  assert((await words(long, "x")).length < 200);
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

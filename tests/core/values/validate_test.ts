import assert from "node:assert/strict";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { everythingIn, SECRET } from "./secret.ts";
import { validate } from "../../../core/values/values.ts";

const refusing: StandardSchemaV1<unknown, string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => ({
      issues: [
        { message: "no", path: ["user", { key: 0 }, "card"], input: value, received: SECRET } as StandardSchemaV1.Issue,
        { message: "nor this" },
      ],
    }),
  },
};

Deno.test("validate() tells the message and path of each issue, and nothing about the value", async () => {
  const error = await validate(refusing, { card: SECRET }, "message").then(() => assert.fail(), (error) => error);
  assert.equal(error.code, "invalid_value");
  assert.deepEqual(error.issues, [{ message: "no", path: ["user", 0, "card"] }, { message: "nor this" }]);
  assert.equal(error.message, 'Checking the message: its schema refuses it at user.0.card ("no"), ("nor this")');
  assert(!everythingIn(error).includes(SECRET));
});

Deno.test("validate() shows only field names of a path, because a record's key may be data", async () => {
  const issues = [{ message: "no", path: ["cards", "4242 4242", { key: Symbol("s") }, 0] }];
  const schema: StandardSchemaV1<unknown, string> = {
    "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) },
  };
  const error: Error = await validate(schema, 1, "message").then(() => assert.fail(), (error) => error);
  assert.equal(error.message, 'Checking the message: its schema refuses it at cards.….….0 ("no")');
  assert(!error.message.includes("4242"));
  assert(!Deno.inspect(error).includes("4242"), "the value is not printed");
});

Deno.test("validate() returns what the schema makes of the value, also undefined and a promise", async () => {
  const making = (value: unknown): StandardSchemaV1<unknown, unknown> => ({
    "~standard": { version: 1, vendor: "test", validate: () => Promise.resolve({ value }) },
  });
  for (const value of [undefined, null, 0, "made"]) {
    assert.equal(await validate(making(value), "raw", "message"), value);
  }
});

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { devalueCodec } from "../../../core/values/codec.ts";
import { snapshot } from "../../../core/values/snapshot.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { Values } from "../../../core/values/values.ts";

const values = new Values(devalueCodec, 2 ** 20);

function schemaOf(
  validate: StandardSchemaV1<unknown, unknown>["~standard"]["validate"],
): StandardSchemaV1<unknown, unknown> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const refusing = schemaOf(() => ({ issues: [{ message: "no" }] }));

Deno.test("take() checks with a schema before it encodes, and is asynchronous only if the schema is", async () => {
  assert.equal(values.take(1, "message", undefined)(), devalueCodec.encode(1));
  const doubling = (value: unknown) => ({ value: 2 * (value as number) });
  assert.equal(values.take(2, "message", schemaOf(doubling))(), devalueCodec.encode(4));
  assert(values.take(2, "message", schemaOf(async (value) => (await 0, doubling(value))))() instanceof Promise);
  const refused = values.take(() => 1, "message", refusing);
  await assert.rejects(async () => await refused(), { message: /^Checking/ });
  assert.throws(() => values.take(() => 1, "message", undefined), { message: /^Encoding/ });
});

Deno.test("take() takes the value when it is called, even if a schema sees it later", async () => {
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
  }
  const toCents = ({ price }: { price: Money }) => price.cents;
  const value: Record<string, unknown> = {
    list: [1, , [2]],
    map: new Map([["k", { n: 1 }]]),
    set: new Set([1n]),
    date: new Date(5),
    bytes: new Uint8Array([1, 2, 3]),
    none: Object.assign(Object.create(null), { n: 1 }),
  };
  value.self = value;
  const before = devalueCodec.encode(value);
  const seen: unknown[] = [];
  const take = (wait: boolean) =>
    values.take(value, "message", schemaOf(async (it) => (wait && await 0, seen.push(it), { value: it })));
  const encoded = [take(false), take(true)].map((it) => it());
  Object.assign((value.map as Map<string, object>).get("k")!, { n: 2 });
  (value.list as unknown[]).length = 0;
  (value.bytes as Uint8Array)[0] = 9;
  (value.date as Date).setTime(6);
  (value.set as Set<unknown>).clear();
  delete value.none;
  assert.deepEqual(await Promise.all(encoded), [before, before]);
  assert(seen.every((it) => it !== value));
  const instance = { price: new Money(7) };
  assert.equal(
    values.take(instance, "message", schemaOf((it) => ({ value: toCents(it as typeof instance) })))(),
    devalueCodec.encode(7),
  );
});

Deno.test("snapshot() keeps symbols, functions, getters and too deep values, so that the encoder refuses them", () => {
  const symbol = Symbol();
  const value = {
    [symbol]: 1,
    run: () => 1,
    get now() {
      return 2;
    },
  };
  assert.deepEqual(snapshot(value), { [symbol]: 1, run: value.run, now: 2 });
  let deep: unknown[] = [];
  for (let level = 0; level < 100_000; level++) deep = [deep];
  assert(Array.isArray(snapshot(deep)));
  const buffer = Buffer.from("text");
  const copy = snapshot(buffer);
  buffer.fill(0);
  assert.equal(String(copy), "text");
});

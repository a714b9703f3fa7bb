/**
 * Measures what serialisers cost and which values they keep. It compares devalue as Parley uses it,
 * superjson, seroval in its JSON mode, and plain JSON.
 *
 *     deno run -A bench/codec.ts
 *
 * `docs/decisions/2026-11-22-serialiser.md` records the choice.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fromJSON, toJSON } from "seroval";
import superjson from "superjson";
import { devalueCodec } from "../core/values/codec.ts";

interface Contender {
  readonly name: string;
  readonly encode: (value: unknown) => string;
  readonly decode: (text: string) => unknown;
  /** A module with the imports of an application. */
  readonly module: string;
}

const CONTENDERS: readonly Contender[] = [
  { name: "JSON", encode: JSON.stringify, decode: JSON.parse, module: "" },
  { name: "devalue", ...devalueCodec, module: `export { parse, stringify } from "devalue";` },
  {
    name: "superjson",
    encode: superjson.stringify,
    decode: superjson.parse,
    module: `export { parse, stringify } from "superjson";`,
  },
  {
    name: "seroval",
    encode: (value) => JSON.stringify(toJSON(value)),
    decode: (text) => fromJSON(JSON.parse(text)),
    module: `export { fromJSON, toJSON } from "seroval";`,
  },
];

/** Typical values of a workflow: a token of a stream, a message, a step's result, a list, bytes. */
const PAYLOADS: Readonly<Record<string, unknown>> = {
  "token": "Hello",
  "message": { orderId: "order-4711", paid: true, amount: 129.95, currency: "EUR" },
  "order": {
    orderId: "order-4711",
    customer: {
      name: "Ada Lovelace",
      email: "ada@example.com",
      address: { street: "12 St James's Square", city: "London", zip: null },
    },
    items: Array.from(
      { length: 5 },
      (_, index) => ({ sku: `lamp-${index}`, name: "A lamp", quantity: index + 1, price: 19.95 }),
    ),
    notes: ["leave at the door", "ring twice"],
  },
  "table": Array.from(
    { length: 1_000 },
    (_, id) => ({ id, name: `row ${id}`, active: id % 2 === 0, score: id / 7, tags: ["a", "b"] }),
  ),
  "bytes": new Uint8Array(65_536).map((_, index) => index * 31),
};

/** The values that Parley promises to keep. Each is encoded inside an object. */
const KEPT: Readonly<Record<string, unknown>> = {
  "JSON": { text: 'a\u2028"b', number: 1.5, list: [1, null, true], nested: { "": {} } },
  "undefined": undefined,
  "Date": new Date(1_700_000_000_123),
  "Map": new Map<unknown, unknown>([["a", new Map([[1, new Date(0)]])], [{ key: 1 }, null]]),
  "Set": new Set<unknown>(["a", 1, new Set([undefined])]),
  "BigInt": 2n ** 80n,
  "Uint8Array": new Uint8Array([0, 1, 255]),
  "RegExp": /a\/b[^c]+/giu,
  "URL": new URL("https://example.com/a?b=c#d"),
  "Error": new Error("outer", { cause: new TypeError("inner") }),
  "NaN": NaN,
  "Infinity": -Infinity,
  "-0": -0,
};

const CYCLE: unknown[] = [];
CYCLE.push(CYCLE);

class Account {
  balance = 1;
}

/** Values that a serialiser must either keep or refuse. */
const ALL_OR_NOTHING: Readonly<Record<string, unknown>> = {
  "cycle": CYCLE,
  "hole in a list": Object.assign([1], { length: 3, 2: 3 }),
  "own __proto__": JSON.parse(`{"__proto__":{"admin":true}}`),
  "invalid Date": new Date(NaN),
  "function": () => {},
  "symbol": Symbol("a"),
  "class instance": new Account(),
};

function keeps({ encode, decode }: Contender, value: unknown): "yes" | "no" | "refused" {
  let text: string;
  try {
    text = encode({ value });
  } catch {
    return "refused";
  }
  try {
    assert.deepStrictEqual(decode(text), { value });
    return "yes";
  } catch {
    return "no";
  }
}

const BATCHES = 200;
const BATCH_MS = 1;

/**
 * Returns the microseconds a call of each contender takes. Batches run in turn, so that a slow
 * machine slows all contenders alike. The fastest tenth counts, because other work on the machine
 * slows the rest.
 */
function time(calls: readonly (() => unknown)[]): number[] {
  const subjects = calls.map((call) => ({ call, size: batchSize(call), times: [] as number[] }));
  for (let batch = 0; batch < BATCHES; batch++) {
    for (const { call, size, times } of subjects) times.push(timeBatch(call, size));
  }
  return subjects.map(({ size, times }) => times.toSorted((a, b) => a - b)[Math.floor(BATCHES / 10)]! / size * 1_000);
}

/** Returns how many calls take about `BATCH_MS` once the engine has compiled them. */
function batchSize(call: () => unknown): number {
  let size = 1;
  for (let tries = 0; tries < 20 && timeBatch(call, size) < BATCH_MS; tries++) size *= 2;
  return size;
}

function timeBatch(call: () => unknown, size: number): number {
  const start = performance.now();
  for (let index = 0; index < size; index++) call();
  return performance.now() - start;
}

async function bundleSize(module: string): Promise<{ minified: number; gzipped: number }> {
  const root = new URL("../", import.meta.url);
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/entry.ts`, module);
    const args = [
      "bundle",
      "--quiet",
      "--no-lock",
      "--minify",
      "--platform",
      "browser",
      "--config",
      "deno.json",
      `${directory}/entry.ts`,
    ];
    const { success, stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: root, stderr: "inherit" })
      .output();
    assert(success, "deno bundle failed");
    const zipped = new Response(stdout).body!.pipeThrough(new CompressionStream("gzip"));
    return { minified: stdout.length, gzipped: (await new Response(zipped).bytes()).length };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function byContender(cells: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(CONTENDERS.map(({ name }, index) => [name, cells[index]]));
}

function withRatios(values: readonly number[], digits: number): string[] {
  return values.map((value) => `${value.toFixed(digits)} (${(value / values[0]!).toFixed(1)}x)`);
}

function print(title: string, rows: Record<string, Record<string, unknown>>): void {
  console.log(`\n${title}`);
  console.table(rows);
}

function measure(
  cells: (contender: Contender, payload: unknown) => () => unknown,
): Record<string, Record<string, unknown>> {
  const row = (payload: unknown) =>
    byContender(withRatios(time(CONTENDERS.map((contender) => cells(contender, payload))), 2));
  return Object.fromEntries(Object.entries(PAYLOADS).map(([name, payload]) => [name, row(payload)]));
}

function mapRows(values: Readonly<Record<string, unknown>>, cell: (contender: Contender, value: unknown) => unknown) {
  return Object.fromEntries(
    Object.entries(values).map((
      [name, value],
    ) => [name, byContender(CONTENDERS.map((contender) => cell(contender, value)))]),
  );
}

if (import.meta.main) {
  const size = ({ encode }: Contender, value: unknown) => new TextEncoder().encode(encode(value)).length;
  print("Size, bytes of UTF-8", mapRows(PAYLOADS, size));
  print("Encode, microseconds (times JSON)", measure(({ encode }, payload) => () => encode(payload)));
  print(
    "Decode, microseconds (times JSON)",
    measure(({ encode, decode }, payload) => decode.bind(null, encode(payload))),
  );
  print("What comes back equal", mapRows(KEPT, keeps));
  print("What must come back equal or be refused", mapRows(ALL_OR_NOTHING, keeps));
  const bundles = await Promise.all(
    CONTENDERS.map(({ module }) => module ? bundleSize(module) : { minified: 0, gzipped: 0 }),
  );
  print("Bundle, bytes", {
    minified: byContender(bundles.map(({ minified }) => minified)),
    gzipped: byContender(bundles.map(({ gzipped }) => gzipped)),
  });
}

/**
 * Requests that nobody would make by mistake alone.
 *
 * @module
 */

import fc from "fast-check";

/** A request of the fuzzer. */
export interface Hostile {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** IDs that exist, that do not, and that are none. */
export const MINE = "mine";
export const OTHERS = ["other", "other/2", ".."];

const PARLEY = "application/vnd.parley+json";

const id = fc.oneof(
  { weight: 4, arbitrary: fc.constant(MINE) },
  { weight: 3, arbitrary: fc.constantFrom(...OTHERS) },
  fc.constantFrom(
    "",
    ".",
    "..",
    "../other",
    "mine/../other",
    "%",
    "%2",
    "%ff",
    "%00",
    "%2e%2e",
    "..;",
    "a".repeat(300),
    "__proto__",
    "constructor",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const segment = fc.tuple(id, fc.boolean()).map(([text, encode]) =>
  encode && text.isWellFormed() ? encodeURIComponent(text) : text
);
const template = fc.constantFrom(
  "/workflows",
  "/workflows/:",
  "/workflows/:/result",
  "/workflows/:/cancel",
  "/workflows/:/resume",
  "/workflows/:/messages",
  "/workflows/:/events/:",
  "/workflows/:/streams/:",
  "/messages",
  "/sweep",
  "/wake",
  "/openapi.json",
  "/:",
  "/:/:",
  "//workflows//:",
);
const value = fc.oneof(
  fc.constantFrom(
    "0",
    "1",
    "-1",
    "1e9",
    "1s",
    "0ms",
    "99999h",
    "999999999h",
    "NaN",
    "",
    "null",
    "%",
    "%00",
    "now",
    "-1",
    "0000000000000001",
    "sse",
    "long-poll",
  ),
  fc.constantFrom('[0,"other"]', '[1e999,"x"]', '["",""]', "PENDING,ERROR", "PENDING,,", "__proto__", MINE, ...OTHERS),
  fc.string({ unit: "binary", maxLength: 12 }).filter((it) => it.isWellFormed()).map(encodeURIComponent),
);
const parameter = fc.constantFrom(
  "wait",
  "limit",
  "cursor",
  "status",
  "name",
  "from",
  "after",
  "offset",
  "live",
  "token",
  "__proto__",
  "x",
);
const query = fc.array(fc.tuple(parameter, value), { maxLength: 3 }).map((them) =>
  them.map(([name, it]) => `${name}=${it}`).join("&")
);

/** Paths with their parameters. */
export const path: fc.Arbitrary<string> = fc.tuple(template, segment, segment, query)
  .map(([text, a, b, rest]) => `${text.replace(":", () => a).replace(":", () => b)}${rest && `?${rest}`}`);

const headerText = fc.oneof(
  fc.constantFrom(
    "*/*",
    PARLEY,
    "text/event-stream",
    "application/x-ndjson",
    "application/json;q=0",
    "text/html",
    ",,;q=x",
    ";;;=",
    "wait=1",
    'wait="9999999999"',
    "wait=-1",
  ),
  fc.constantFrom(
    "0",
    "-1",
    "1:end",
    "NaN",
    "9".repeat(30),
    "bytes=0-1",
    'W/"x"',
    "application/json; charset=\u00e9",
    "https://evil.example",
  ),
  fc.stringMatching(/^[\x21-\x7e\u00a1-\u00ff ]{0,30}$/),
);
const headerName = fc.constantFrom(
  "accept",
  "prefer",
  "last-event-id",
  "idempotency-key",
  "if-none-match",
  "origin",
  "content-length",
  "transfer-encoding",
  "content-encoding",
  "x-forwarded-host",
  "cookie",
);
const headers = fc.dictionary(headerName, headerText, { maxKeys: 3 });

const jsonBody = fc.oneof(
  fc.record({
    workflow: fc.oneof(fc.constantFrom("echo", "publisher", "nope"), fc.jsonValue()),
    input: fc.jsonValue(),
    workflowId: fc.oneof(fc.constantFrom(MINE, ...OTHERS), fc.jsonValue()),
    enqueue: fc.oneof(fc.boolean(), fc.jsonValue()),
  }, { requiredKeys: ["workflow"] }),
  fc.record({ message: fc.jsonValue(), topic: fc.oneof(fc.string(), fc.jsonValue()), idempotencyKey: fc.string() }, {
    requiredKeys: ["message"],
  }),
  fc.record({
    messages: fc.oneof(
      fc.array(fc.record({ destinationId: id, message: fc.jsonValue(), topic: fc.string() }, { requiredKeys: [] })),
      fc.jsonValue(),
    ),
  }),
  fc.record({ workflowIds: fc.oneof(fc.array(id), fc.jsonValue()) }),
  fc.jsonValue(),
).map((it) => JSON.stringify(it));

const index = fc.integer({ min: -8, max: 12 });
const entry: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>("echo", "publisher", MINE, ...OTHERS, "", "news", true, false, null, 0, 1.5, 1e300),
  fc.array(index, { maxLength: 6 }),
  fc.dictionary(
    fc.constantFrom(
      "a",
      "__proto__",
      "constructor",
      "then",
      "toJSON",
      "length",
      "name",
      "message",
      "fields",
      "code",
      "stack",
      "cause",
      "destinationId",
      "topic",
    ),
    index,
    { maxKeys: 4 },
  ),
  fc.tuple(
    fc.constantFrom(
      "Set",
      "Map",
      "Date",
      "RegExp",
      "BigInt",
      "Object",
      "null",
      "Error",
      "View",
      "ArrayBuffer",
      "Uint8Array",
      "Float64Array",
      "DataView",
      "URL",
      "URLSearchParams",
      "Temporal.Instant",
      "Nope",
      "__proto__",
    ),
    fc.array(fc.oneof(index, fc.constantFrom("", "(a+)+$", "g", "__proto__", "9".repeat(50), "AAAA", "not a date")), {
      maxLength: 4,
    }),
  )
    .map(([name, rest]) => [name, ...rest]),
  fc.tuple(fc.constantFrom(0, 3, 1e6, 4294967295, 4294967296, -1, 1e300), fc.array(index, { maxLength: 4 })).map((
    [length, rest],
  ) => [-7, length, ...rest]),
);
const parts = fc.tuple(entry, fc.array(entry, { maxLength: 12 })).map(([root, rest]) => [root, "echo", ...rest]);
/** A value as devalue may have encoded it. */
const encoded = fc.oneof({ weight: 6, arbitrary: parts }, index, fc.jsonValue());
const message = fc.record({
  message: encoded,
  topic: fc.constantFrom<unknown>("", "news", 1),
  idempotencyKey: fc.string({ maxLength: 5 }),
}, { requiredKeys: ["message"] });
const encodedBody = fc.oneof(
  fc.record({
    workflow: fc.constantFrom("echo", "publisher"),
    input: encoded,
    workflowId: fc.constantFrom<unknown>(MINE, ...OTHERS, -1, [MINE]),
    enqueue: fc.constantFrom<unknown>(true, false, [true]),
    checked: encoded,
  }, { requiredKeys: ["workflow"] }),
  message,
  fc.record({ messages: fc.array(fc.tuple(id, message).map(([destinationId, it]) => ({ destinationId, ...it }))) }),
  fc.record({ messages: encoded }),
  fc.record({ workflowIds: fc.oneof(fc.array(id), encoded) }),
  encoded,
).map((it) => JSON.stringify(it));

const rawBody = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((it) => new Uint8Array(it)),
  fc.string({ maxLength: 40 }),
  fc.json().map((it) => it.slice(1)),
);

/** Requests with whatever path, header and body. */
export const request: fc.Arbitrary<Hostile> = fc.tuple(
  fc.constantFrom("GET", "GET", "POST", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"),
  path,
  headers,
  fc.oneof(
    { weight: 3, arbitrary: fc.tuple(jsonBody, fc.constant("application/json")) },
    { weight: 4, arbitrary: fc.tuple(encodedBody, fc.constant(PARLEY)) },
    { weight: 1, arbitrary: fc.tuple(rawBody, fc.constantFrom("application/json", PARLEY, "text/plain", "")) },
  ),
).map(([method, path, headers, [body, type]]) => ({
  method,
  path,
  headers: { ...headers, ...(method === "POST" && { "content-type": type }) },
  ...(["POST", "PUT", "DELETE"].includes(method) && { body }),
}));

/** A POST that is meant for its route: it gets past the first checks. */
export const meant: fc.Arbitrary<Hostile> = fc.tuple(
  fc.constantFrom("/workflows", "/workflows/mine/messages", "/messages", "/wake"),
  fc.oneof(fc.tuple(jsonBody, fc.constant("application/json")), fc.tuple(encodedBody, fc.constant(PARLEY))),
  fc.constantFrom("application/json", PARLEY),
).map(([path, [body, type], accept]) => ({ method: "POST", path, headers: { "content-type": type, accept }, body }));

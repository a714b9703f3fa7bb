import assert from "node:assert/strict";
import { devalueCodec } from "../../core/values/codec.ts";
import * as errors from "../../core/errors.ts";
import { reviveError, serializeError } from "../../core/values/serialized_error.ts";

const cause = new TypeError("why");

/** An error of every class. The type checks that every code has one. */
const samples: Record<errors.ParleyErrorCode, errors.ParleyError> = {
  timeout: new errors.TimeoutError('recv "t"', 5),
  workflow_not_found: new errors.WorkflowNotFoundError("w"),
  workflow_ended: new errors.WorkflowEndedError("w", "CANCELLED"),
  workflow_active: new errors.WorkflowActiveError("w", "PENDING"),
  workflow_conflict: new errors.WorkflowConflictError("w"),
  unknown_workflow: new errors.UnknownWorkflowError("flow"),
  workflow_failed: new errors.WorkflowFailedError("w", cause, { position: 3, operation: 'step "charge"' }),
  workflow_cancelled: new errors.WorkflowCancelledError("w"),
  non_determinism: new errors.NonDeterminismError("w", { position: 3, expected: "recv", actual: "sleep" }),
  version_out_of_range: new errors.VersionOutOfRangeError("w", "state", { after: 5, version: 3 }),
  offset_out_of_range: new errors.OffsetOutOfRangeError("w", "log", { offset: 5, end: 3 }),
  stream_closed: new errors.StreamClosedError("w", "log"),
  invalid_value: new errors.ValidationError("bad", [{ message: "no", path: ["a", 0] }], { cause }),
  value_too_large: new errors.ValueTooLargeError("message", 11, 10),
  unreadable_value: new errors.UnreadableValueError('value of stream "log"', { at: 3, needs: "Temporal" }),
  idempotency_conflict: new errors.IdempotencyConflictError("k"),
  invalid_context: new errors.ContextError("not here"),
  unsupported: new errors.UnsupportedError("not in this store"),
  lease_lost: new errors.LeaseLostError("w"),
  fatal: new errors.FatalError("declined", { cause }),
  driver: new errors.DriverError("away", { retryable: true, cause }),
};

const classes = Object.values(errors).filter((it) =>
  typeof it === "function" && it.prototype instanceof errors.ParleyError
);
const roundTrip = (error: unknown) =>
  devalueCodec.decode(devalueCodec.encode(error)) as Error & Record<string, unknown>;

for (const [code, error] of Object.entries(samples)) {
  Deno.test(`${error.constructor.name} has its code and name, and is decoded as the same error`, () => {
    assert.deepEqual([error.code, error.name], [code, error.constructor.name]);
    const back = roundTrip(error);
    assert(back instanceof errors.ParleyError);
    assert.equal(back.constructor, error.constructor);
    assert.deepStrictEqual(back, error);
    assert.deepEqual([back.stack, back.cause], [error.stack, error.cause]);
    assert.deepEqual(Object.keys(back).sort(), Object.keys(error).sort());
    assert.deepEqual([String(back), "name" in back], [String(error), true]);
  });
}

Deno.test("a WorkflowFailedError names the operation, the error and its causes, and no messages or odd names", () => {
  const secret = "hunter2-4242";
  const named = (name: string, fields: object = {}, options: ErrorOptions = {}) =>
    Object.assign(new Error(secret, options), { name, secret }, fields);
  const circular = named("TypeError");
  circular.cause = circular;
  const hostile = new Proxy(new Error(secret), {
    get: () => assert.fail(secret),
    getPrototypeOf: () => assert.fail(secret),
  });
  const child = new errors.WorkflowFailedError("child", cause);
  const cases: [cause: unknown, shown: string][] = [
    [undefined, ""],
    [new Error(secret), "; its error is the cause"],
    [hostile, "; its error is the cause"],
    [named("PaymentError"), ": PaymentError; its error is the cause"],
    [named("PaymentError", { code: "card_declined" }), ": PaymentError (card_declined); its error is the cause"],
    [named("Error", { code: "ECONNRESET" }), ": Error (ECONNRESET); its error is the cause"],
    [named("Error", { code: secret }), "; its error is the cause"],
    [named(`${secret} failed`, { code: 4242 }), "; its error is the cause"],
    [
      named("Error", {}, { cause: named("TypeError", {}, { cause: secret }) }),
      ": Error, caused by TypeError, caused by a thrown string; its error is the cause",
    ],
    [circular, `: ${Array(4).fill("TypeError").join(", caused by ")}; its error is the cause`],
    [secret, ": a thrown string; its error is the cause"],
    [null, ": a thrown null; its error is the cause"],
    [child, ': WorkflowFailedError of workflow "child", caused by TypeError; its error is the cause'],
    [new errors.TimeoutError("result", 5), ": TimeoutError; its error is the cause"],
  ];
  for (const [cause, shown] of cases) {
    assert.equal(new errors.WorkflowFailedError("w", cause).message, `Workflow "w" failed${shown}`);
  }
  assert.equal(
    samples.workflow_failed.message,
    'Workflow "w" failed in step "charge" at position 3: TypeError; its error is the cause',
  );
});

Deno.test("every class has its own code", () => {
  assert.deepEqual(new Set(Object.values(samples).map((it) => it.constructor)), new Set(classes));
  assert.equal(classes.length, Object.keys(samples).length);
});

Deno.test("an error is decoded as the built-in class of its name, with causes and fields", () => {
  for (const Class of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const error = Object.assign(new Class("m", { cause: new Error("c", { cause: "root" }) }), {
      code: "E_X",
      at: new Date(0),
      list: [1n],
    });
    const back = roundTrip({ deep: [error] }) as unknown as { deep: [Error & { cause: Error }] };
    assert.deepStrictEqual(back.deep[0], error);
    assert.equal(back.deep[0].constructor, Class);
    assert.equal(back.deep[0].stack, error.stack);
    assert.deepEqual([back.deep[0].cause.message, back.deep[0].cause.cause], ["c", "root"]);
  }
});

Deno.test("an AggregateError is decoded with its errors", () => {
  const back = roundTrip(new AggregateError([new RangeError("a"), "b"], "m"));
  assert(back instanceof AggregateError);
  assert(back.errors[0] instanceof RangeError);
  assert.deepEqual([back.message, back.errors[0].message, back.errors[1]], ["m", "a", "b"]);
});

Deno.test("an error of an unknown class is decoded as an Error with its name", () => {
  class PaymentError extends Error {
    override name = "PaymentError";
    amount = 5;
  }
  const back = roundTrip(new PaymentError("declined"));
  assert.equal(Object.getPrototypeOf(back), Error.prototype);
  assert.deepEqual([back.name, back.message, back.amount, back instanceof Error], [
    "PaymentError",
    "declined",
    5,
    true,
  ]);
});

Deno.test("an error is Parley's only if its name and code match", () => {
  const web = new DOMException("took too long", "TimeoutError");
  assert(!(roundTrip(web) instanceof errors.ParleyError));
  assert.equal(roundTrip(web).name, "TimeoutError");
  const other = Object.assign(new Error("m"), { name: "HttpError", code: "timeout" });
  assert(!(roundTrip(other) instanceof errors.ParleyError));
  assert.equal(roundTrip(other).code, "timeout");
});

Deno.test("an error without a stack or cause is decoded without them", () => {
  const bare = new Error("m");
  delete bare.stack;
  const back = roundTrip(bare);
  assert.deepEqual([back.stack, "cause" in back], [undefined, false]);
  assert.deepEqual(serializeError(bare), { name: "Error", message: "m" });
  assert.equal(reviveError({ name: "Error", message: "m" }).stack, undefined, "it is not the stack of reviveError()");
  assert.equal("cause" in roundTrip(new Error("m", { cause: null })), true);
});

Deno.test("name, stack and message of a decoded error are not enumerable", () => {
  const back = roundTrip(Object.assign(new Error("m"), { name: "Named", extra: 1 }));
  assert.deepEqual(Object.keys(back), ["extra"]);
});

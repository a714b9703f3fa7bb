/**
 * Schemas of four libraries. Senders give a schema's input, and receivers get its output. The type
 * check of this file must refuse each line after `@ts-expect-error`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type } from "arktype";
import { Effect, Schema } from "effect";
import * as v from "valibot";
import { z } from "zod";
import { event, memoryDriver, Parley, type StandardSchemaV1, stream, topic, workflow } from "../../mod.ts";
import type { WorkflowContext } from "../../mod.ts";
import { connect } from "../../http/client/client.ts";
import { bearer, parleyHttp } from "../../http/mod.ts";

/** What senders give. */
interface Given {
  amount: string;
  currency?: string | undefined;
}
/** What receivers get. */
interface Got {
  amount: number;
  currency: string;
}

/** The same schema in each library: a transform, a default, and an asynchronous check where possible. */
const SCHEMAS = {
  zod: z.object({
    amount: z.string().transform(Number).pipe(z.number().positive()),
    currency: z.string().default("EUR"),
  }).refine(async () => await Promise.resolve(true)),
  valibot: v.pipeAsync(
    v.object({
      amount: v.pipe(v.string(), v.transform(Number), v.minValue(1)),
      currency: v.optional(v.string(), "EUR"),
    }),
    v.checkAsync(async () => await Promise.resolve(true)),
  ),
  arktype: type({
    amount: type("string").pipe((text) => Number(text)).to("number > 0"),
    currency: "string = 'EUR'",
  }),
  effect: Schema.toStandardSchemaV1(Schema.Struct({
    amount: Schema.FiniteFromString.check(Schema.isGreaterThan(0)),
    currency: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("EUR"))),
  })),
} satisfies Record<string, StandardSchemaV1<Given, Got>>;

const due = topic("due", z.coerce.date());
const zodPayment = topic("payment", SCHEMAS.zod);
const zodOrder = workflow("order", (_ctx, { amount }) => amount * 2, { input: SCHEMAS.zod });
const zodTotal = event("total", SCHEMAS.zod);
const zodLog = stream("log", SCHEMAS.zod);

/** Never called, because only the type check reads it. */
export async function refused(ctx: WorkflowContext, parley: Parley): Promise<void> {
  await ctx.send("w", { amount: "1" }, { topic: zodPayment });
  await parley.send("w", "2026-11-29", { topic: due });
  // @ts-expect-error the message is the schema's output
  await ctx.send("w", { amount: 1, currency: "EUR" }, { topic: zodPayment });
  // @ts-expect-error the message is the schema's output
  await parley.send("w", { amount: 1, currency: "EUR" }, { topic: zodPayment });
  const [destinationId, output] = ["w", { amount: 1, currency: "EUR" }];
  // @ts-expect-error the second message is the schema's output
  await parley.sendAll([{ destinationId, message: 1 }, { destinationId, message: output, topic: zodPayment }]);
  // @ts-expect-error the value is the schema's output
  await ctx.setEvent(zodTotal, { amount: 1, currency: "EUR" });
  // @ts-expect-error the value is the schema's output
  await ctx.writeStream(zodLog, { amount: 1, currency: "EUR" });
  // @ts-expect-error the input is the schema's output
  await parley.start(zodOrder, { amount: 1, currency: "EUR" });
  // @ts-expect-error the input is the schema's output
  await ctx.start(zodOrder, { amount: 1, currency: "EUR" });
  // @ts-expect-error the input is required
  await parley.start(zodOrder);
  // @ts-expect-error the message is Valibot's output
  await ctx.send("w", output, { topic: topic("payment", SCHEMAS.valibot) });
  // @ts-expect-error the message is ArkType's output
  await ctx.send("w", output, { topic: topic("payment", SCHEMAS.arktype) });
  // @ts-expect-error the message is Effect's output
  await ctx.send("w", output, { topic: topic("payment", SCHEMAS.effect) });
  const got: Got[] = [
    await ctx.recv(topic("payment", SCHEMAS.valibot)),
    await ctx.recv(topic("payment", SCHEMAS.arktype)),
    await ctx.recv(topic("payment", SCHEMAS.effect)),
    // With an explicit type, any schema of that output fits.
    await ctx.recv(topic<Got>("payment", SCHEMAS.zod)),
  ];
  await ctx.step("step", async (step) => {
    await step.send("w", { amount: "1" }, { topic: zodPayment });
    await step.setEvent(zodTotal, { amount: "1" });
    // @ts-expect-error the value is the schema's output
    await step.writeStream(zodLog, { amount: 1, currency: "EUR" });
  });
  const date: Date = await ctx.recv(due);
  const received = await ctx.recvAny([due, zodPayment]);
  const amount: number = received.topic === "payment" ? received.message.amount : received.message.getTime();
  const event: Got = await ctx.getEvent("w", zodTotal);
  const double: number = await (await ctx.start(zodOrder, { amount: "1" })).result();
  console.log(date, amount, event, double, got);
}

for (const [library, schema] of Object.entries(SCHEMAS) as [string, StandardSchemaV1<Given, Got>][]) {
  const payment = topic("payment", schema);
  const total = event("total", schema);
  const log = stream("log", schema);
  const order = workflow("order", async (ctx, input) => {
    const got: Got[] = [input];
    for (let n = 0; n < 3; n++) got.push(await ctx.recv(payment));
    await ctx.setEvent(total, { amount: "5" });
    await ctx.writeStream(log, { amount: "6" });
    await ctx.step("from a step", async (step) => {
      await step.writeStream(log, { amount: "7", currency: "USD" });
    });
    const refusals = [
      ctx.send("w", { amount: "-1" }, { topic: payment }),
      ctx.setEvent(total, { amount: "-1" }),
      ctx.writeStream(log, { amount: "-1" }),
      ctx.start(order, { amount: "-1" }),
    ];
    const codes: string[] = await Promise.all(refusals.map((it) => it.then(() => "accepted", ({ code }) => code)));
    return { got, codes };
  }, { input: schema });

  Deno.test(`a schema of ${library} is applied once, where a value enters, also over HTTP`, async () => {
    await using parley = new Parley({ driver: memoryDriver(), workflows: [order] });
    const app = parleyHttp({ parley, auth: bearer("s3cret") });
    const client = connect({
      url: "https://parley.test",
      token: "s3cret",
      fetch: async (url, init) => await app.request(url, init),
    });
    for (const from of [parley, client]) {
      await assert.rejects(from.start(order, { amount: "-1" }), { code: "invalid_value" });
      const handle = await from.start(order, { amount: "1" });
      await assert.rejects(handle.send({ amount: "-1" }, { topic: payment }), { code: "invalid_value" });
      await handle.send({ amount: "2" }, { topic: payment });
      await from.sendAll([{ destinationId: handle.workflowId, message: { amount: "3" }, topic: payment }]);
      // By name, the message is checked where it is received.
      await handle.send({ amount: "4", currency: "GBP" }, { topic: "payment" });
      assert.deepEqual(await handle.result(), {
        got: [
          { amount: 1, currency: "EUR" },
          { amount: 2, currency: "EUR" },
          { amount: 3, currency: "EUR" },
          { amount: 4, currency: "GBP" },
        ],
        codes: Array(4).fill("invalid_value"),
      });
      assert.deepEqual(await handle.getEvent(total), { amount: 5, currency: "EUR" });
      assert.deepEqual((await handle.readStream(log).collect()).values, [
        { amount: 6, currency: "EUR" },
        { amount: 7, currency: "USD" },
      ]);
    }
  });
}

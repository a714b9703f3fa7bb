import assert from "node:assert/strict";
import * as v from "valibot";
import { connect } from "../../../http/client/client.ts";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import { memoryDriver, Parley, type Workflow, workflow } from "../../../mod.ts";

/** Its schema refuses what it returns. */
const Cents = v.pipe(v.string(), v.regex(/^\d+ cents$/), v.transform((text) => ({ cents: Number.parseInt(text) })));
const pay = workflow("pay", (_ctx, input: { cents: number }) => input, { input: Cents }) as unknown as Workflow<
  string,
  { cents: number }
>;

function make(workflows: Workflow<never, unknown>[]) {
  const driver = memoryDriver();
  const parley = new Parley({ driver, workflows: workflows as never, hotWait: 0 });
  const app = parleyHttp({ parley, auth: bearer("s3cret") });
  const headers = { authorization: "Bearer s3cret", "content-type": "application/json" };
  const post = async (body: unknown) => {
    const response = await app.request("/workflows", { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  };
  const client = connect({
    url: "http://parley.test",
    token: "s3cret",
    fetch: async (url, init) => await app.request(url, init),
  });
  return { driver, parley, post, client };
}

Deno.test("an input's schema that transforms is applied once, whether connect() or curl starts the workflow, here or by a sweep", async () => {
  const { parley, post, client } = make([pay as never]);
  for (const enqueue of [false, true]) {
    assert.equal(
      (await post({ workflow: "pay", input: "7 cents", workflowId: `curl ${enqueue}`, enqueue })).status,
      201,
    );
    await client.start(pay, "7 cents", { workflowId: `definition ${enqueue}`, enqueue });
    await client.start("pay", "7 cents", { workflowId: `name ${enqueue}`, enqueue });
    await parley.sweep();
    for (const how of ["curl", "definition", "name"]) {
      assert.deepEqual(await client.handle(`${how} ${enqueue}`).result(), { cents: 7 }, `${how} ${enqueue}`);
    }
  }
});

Deno.test("an input that the schema of connect() or of the server refuses is not started", async () => {
  const { post, client } = make([pay as never]);
  await assert.rejects(client.start(pay, "7 dollars"), { code: "invalid_value" });
  await assert.rejects(client.start("pay", "7 dollars"), { code: "invalid_value" });
  // What a caller claims to have checked counts nothing where there is a schema.
  assert.equal(
    (await post({ workflow: "pay", input: "7 dollars", checked: { cents: -1 }, enqueue: true })).status,
    400,
  );
  assert.deepEqual((await client.list()).workflows, []);
});

Deno.test("if the server does not know the workflow, it stores what the schema of connect() returned", async () => {
  const { driver, client } = make([]);
  await client.start(pay, "7 cents", { workflowId: "w", enqueue: true });
  const worker = new Parley({ driver, workflows: [pay], hotWait: 0 });
  await worker.sweep();
  assert.deepEqual(await client.handle("w").result(), { cents: 7 });
});

import assert from "node:assert/strict";
import { connect } from "../../../http/client/client.ts";
import { parleyHttp, scopedTokens } from "../../../http/mod.ts";
import type { Driver, ListPage } from "../../../core/driver/driver.ts";
import { memoryDriver, Parley, workflow } from "../../../mod.ts";

const SECRET = "a secret of the tests, and of nobody else";

const echo = workflow("echo", (_ctx, input: unknown) => input);
const failing = workflow("failing", () => {
  throw new TypeError("broke");
});

/** An adapter over a store whose rows may be others than they were written. */
async function make(change: (page: ListPage) => ListPage = (page) => page) {
  const inner = memoryDriver();
  const asked: { values: boolean; problem: boolean }[] = [];
  const driver: Driver = {
    ...inner,
    listWorkflows: async (query) => (asked.push(query), change(await inner.listWorkflows(query))),
  };
  const parley = new Parley({ driver, workflows: [echo, failing], hotWait: 0 });
  const tokens = scopedTokens(SECRET);
  const app = parleyHttp({ parley, auth: tokens, onError: (error) => assert.fail(String(error)) });
  const get = async (path: string) => {
    const token = await tokens.mint({ actions: ["list"], expiresIn: "1m" });
    const response = await app.request(path, { headers: { authorization: `Bearer ${token}` } });
    return { status: response.status, body: await response.json() };
  };
  const token = await tokens.mint({ actions: ["list", "info", "start"], expiresIn: "1m" });
  const client = connect({
    url: "http://parley.test",
    token,
    fetch: async (url, init) => await app.request(url, init),
  });
  return { parley, app, tokens, get, client, asked };
}

Deno.test("GET /workflows is without inputs and outputs, unless include=values asks for them", async () => {
  const { get, client, asked } = await make();
  await (await client.start(echo, { secret: 1 }, { workflowId: "w", enqueue: true }));
  const [bare] = (await get("/workflows")).body.workflows;
  assert.deepEqual(["input" in bare, "output" in bare, bare.workflowId], [false, false, "w"]);
  const [full] = (await get("/workflows?include=values")).body.workflows;
  assert.deepEqual(full.input, { secret: 1 });
  assert.deepEqual((await client.list()).workflows[0]?.input, undefined);
  assert.deepEqual((await client.list({ include: "values" })).workflows[0]?.input, { secret: 1 });
  assert.deepEqual(asked.map(({ values }) => values), [false, true, false, true]);
  for (const query of ["include=", "include=all", "include=values&include=x", "problem=", "problem=1"]) {
    const { status } = await get(`/workflows?${query}`);
    assert.equal(status, query === "include=values&include=x" ? 200 : 400, query);
  }
});

Deno.test("GET /workflows?problem=true lists parked workflows, and shows the problem without its stack", async () => {
  const problem = JSON.stringify([
    ["Error", { name: 1, message: 2, stack: 3 }],
    "Error",
    "it does not fit",
    "at /srv/secret.ts",
  ]);
  const { parley, get, client, asked } = await make((page) => ({
    ...page,
    workflows: page.workflows.map((it) => ({ ...it, problem, parks: 1 })),
  }));
  await parley.start(failing, undefined, { workflowId: "w" });
  await parley.idle();
  await get("/workflows?problem=true");
  const text = JSON.stringify((await get("/workflows")).body);
  assert.doesNotMatch(text, /secret\.ts|stack/);
  await client.list({ problem: true });
  await client.list({ problem: false });
  assert.deepEqual(asked.map(({ problem }) => problem), [true, false, true, false]);
});

Deno.test("input from a token that may only start fails no list: an unreadable row is shown as such", async () => {
  const hostile = '[["Temporal.Nope",1],"x"]';
  const { app, tokens, get, client } = await make((page) => ({
    ...page,
    workflows: page.workflows.map((it) => it.workflowId === "hostile" ? { ...it, input: hostile } : it),
  }));
  const starter = await tokens.mint({ actions: ["start"], expiresIn: "1m" });
  const start = async (raw: string) => {
    const headers = { authorization: `Bearer ${starter}`, "content-type": "application/vnd.parley+json" };
    return (await app.request("/workflows", { method: "POST", headers, body: raw })).status;
  };
  // A value that is nested too deep, and an error whose fields are not texts.
  const deep = `{"workflow":"echo","workflowId":"deep","input":[${
    Array.from({ length: 2_500 }, (_, n) => `[${n + 1}]`).join(",")
  },"end"]}`;
  const error = '{"workflow":"echo","workflowId":"error","input":[["Error",1],{"name":2,"message":2},["null"]]}';
  assert.deepEqual([await start(deep), await start(error)], [400, 400]);
  await client.start(echo, 1, { workflowId: "hostile", enqueue: true });
  await client.start(echo, 2, { workflowId: "good", enqueue: true });
  for (const query of ["", "?include=values", "?include=values&limit=2"]) {
    const { status, body } = await get(`/workflows${query}`);
    assert.equal(status, 200, query);
    assert(body.workflows.some((it: { workflowId: string }) => it.workflowId === "good"));
  }
  const page = await client.list({ include: "values" });
  const row = page.workflows.find(({ workflowId }) => workflowId === "hostile");
  assert.deepEqual([row?.unreadable, row && "input" in row], [["input"], false]);
  assert.equal(page.workflows.find(({ workflowId }) => workflowId === "good")?.input, 2);
});

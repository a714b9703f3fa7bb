import assert from "node:assert/strict";
import { memoryDriver, type Observer, Parley } from "@parley/parley";
import { connect } from "@parley/parley/client";
import { bearer, parleyHttp } from "@parley/parley/http";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-00";

/** An adapter, and the traces that its observer is told of starts and sends. */
function traced() {
  const told: (string | undefined)[] = [];
  const observer: Observer = {
    onStart: ({ traceparent }) => void told.push(traceparent),
    onSend: ({ messages }) => void told.push(...messages.map(({ traceparent }) => traceparent)),
  };
  const app = parleyHttp({ parley: new Parley({ driver: memoryDriver(), observer }), auth: bearer("s3cret") });
  const post = async (path: string, body: unknown, traceparent?: string) => {
    const headers = new Headers({ authorization: "Bearer s3cret", "content-type": "application/json" });
    if (traceparent !== undefined) headers.set("traceparent", traceparent);
    const { status } = await app.request(path, { method: "POST", headers, body: JSON.stringify(body) });
    return status;
  };
  return { told, app, post };
}

Deno.test("a start and a send over HTTP belong to the trace of the header traceparent, or of the body", async () => {
  const { told, post } = traced();
  const start = { workflow: "flow", workflowId: "w", enqueue: true };
  assert.equal(await post("/workflows", start, TRACE), 201);
  assert.equal(await post("/workflows/w/messages", { message: 1 }, TRACE), 201);
  assert.equal(await post("/workflows/w/messages", { message: 1, traceparent: OTHER }, TRACE), 201);
  const messages = [{ destinationId: "w", message: 1 }, { destinationId: "w", message: 1, traceparent: OTHER }];
  assert.equal(await post("/messages", { messages }, TRACE), 200);
  assert.deepEqual(told, [TRACE, TRACE, OTHER, TRACE, OTHER]);
});

Deno.test("a header traceparent that is not legal counts as absent, and one in the body is refused", async () => {
  const { told, post } = traced();
  assert.equal(await post("/workflows", { workflow: "flow", workflowId: "w", enqueue: true }, "00-zz"), 201);
  assert.deepEqual(told, [undefined]);
  assert.equal(await post("/workflows/w/messages", { message: 1, traceparent: "00-zz" }), 400);
});

Deno.test("connect() passes the traceparent of start, send and sendAll on", async () => {
  const { told, app } = traced();
  const fetch = async (url: string, init: RequestInit) => await app.request(url, init);
  const client = connect({ url: "https://example.com", token: "s3cret", fetch });
  await client.start("flow", 1, { workflowId: "w", enqueue: true, traceparent: TRACE });
  await client.send("w", 1, { traceparent: OTHER });
  await client.sendAll([{ destinationId: "w", message: 1, traceparent: TRACE }, { destinationId: "w", message: 1 }]);
  await client.send("w", 1);
  assert.deepEqual(told, [TRACE, OTHER, TRACE, undefined, undefined]);
  await assert.rejects(client.start("flow", 1, { traceparent: "no" }), { code: "invalid_value" });
  await assert.rejects(client.send("w", 1, { traceparent: "no" }), { code: "invalid_value" });
});

import assert from "node:assert/strict";
import { ROOT } from "../project/files.ts";
import { STORY_TREE } from "./story.ts";
import { treeOf } from "./tree.ts";

/** The parts of OTLP in JSON that are read here. */
interface Exported {
  resourceSpans?: { scopeSpans: { spans: OtlpSpan[] }[] }[];
  resourceMetrics?: { scopeMetrics: { metrics: { name: string }[] }[] }[];
}
interface OtlpSpan {
  name: string;
  spanId: string;
  parentSpanId?: string;
  links?: { spanId: string }[];
}

Deno.test("otel() with Deno's own OpenTelemetry joins the spans of fetch, Deno.serve and the user's code", async () => {
  const spans: OtlpSpan[] = [];
  const metrics = new Set<string>();
  await using collector = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { resourceSpans = [], resourceMetrics = [] }: Exported = await request.json();
    spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((it) => it.spans)));
    for (const { scopeMetrics } of resourceMetrics) {
      for (const it of scopeMetrics) for (const { name } of it.metrics) metrics.add(name);
    }
    return Response.json({});
  });
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-lock", "--quiet", "-A", "tests/otel/deno_program.ts"],
    cwd: ROOT,
    stdin: "null",
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const nodes = spans.map(({ name, spanId, parentSpanId, links = [] }) => ({
    name,
    spanId,
    parentId: parentSpanId || undefined,
    links: links.map((it) => it.spanId),
  }));
  const expected = [
    "POST",
    "  POST",
    "    start flow",
    "      run flow",
    "        step step",
    "          in the step",
    ...STORY_TREE,
  ];
  assert.deepEqual(treeOf(nodes), expected);
  for (const name of ["parley.run.duration", "messaging.client.sent.messages"]) assert(metrics.has(name), name);
});

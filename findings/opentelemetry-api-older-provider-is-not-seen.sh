#!/usr/bin/env bash
# A newer minor of @opentelemetry/api silently ignores a provider that an older minor registered.
#
# Packages: @opentelemetry/api@1.9.1 and @1.10.0, @opentelemetry/sdk-trace-base@2.12.1 (npm).
# Expected: a process has one global provider, or a warning if two copies of the API do not fit.
# Seen: if 1.9.1 registers and 1.10.0 reads, spans are not recorded. The other way round they are.
# Impact: a library with its own newer copy of the API loses every span, without an error or a log.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund old@npm:@opentelemetry/api@1.9.1 new@npm:@opentelemetry/api@1.10.0 \
  @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace-base@2.12.1
cat >run.mjs <<'JS'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [registers, reads] = process.argv.slice(2);
const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const answer = (await import(registers)).trace.setGlobalTracerProvider(provider);
(await import(reads)).trace.getTracer("a library").startSpan("work").end();
await provider.forceFlush();
console.log(`registered by ${registers} (${answer}), read by ${reads}: ${exporter.getFinishedSpans().length} span`);
process.exit(exporter.getFinishedSpans().length);
JS
new_reads_old=0; node run.mjs old new || new_reads_old=$?
old_reads_new=0; node run.mjs new old || old_reads_new=$?
[ "$new_reads_old" = 0 ] && [ "$old_reads_new" = 1 ]

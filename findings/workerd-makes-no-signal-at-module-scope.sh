#!/usr/bin/env bash
# In a Worker, making an AbortController while a module is loaded throws, although it does no I/O.
#
# Package: miniflare@4.20260730.0, with workerd 1.20260730.1 (npm).
# Expected: an AbortController and a TransformStream are plain objects, as an EventTarget and a
#   MessageChannel are. So a module may make one, for example as the signal that never aborts.
# Seen: new AbortController(), AbortSignal.abort(), AbortSignal.any([]) and new TransformStream() throw
#   "Disallowed operation called within global scope", and the message speaks of asynchronous I/O,
#   timeouts and random values. new EventTarget() and new MessageChannel() work.
# Impact: a library with such a constant cannot be imported by any Worker.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund miniflare@4.20260730.0
cat >main.mjs <<'JS'
import { Miniflare } from "miniflare";

const refused = [];
const made = [];
for (const code of [
  "new AbortController()",
  "AbortSignal.abort()",
  "AbortSignal.any([])",
  "new TransformStream()",
  "new EventTarget()",
  "new MessageChannel()",
]) {
  const script = `let seen;
try { ${code}; seen = "made"; } catch (error) { seen = error.message.split(".")[0]; }
export default { fetch: () => new Response(seen) };`;
  const worker = new Miniflare({ modules: true, script, compatibilityDate: "2026-07-01" });
  const seen = await (await worker.dispatchFetch("http://worker.test/")).text();
  await worker.dispose();
  if (seen === "made") made.push(code);
  else if (seen === "Disallowed operation called within global scope") refused.push(code);
}
console.log(`refused: ${refused.join(", ")}; made: ${made.join(", ")}`);
JS
seen=$(timeout 120 node main.mjs)
echo "miniflare 4.20260730.0: $seen"
[ "$seen" = "refused: new AbortController(), AbortSignal.abort(), AbortSignal.any([]), new TransformStream(); made: new EventTarget(), new MessageChannel()" ] ||
  { echo "This has changed"; exit 1; }

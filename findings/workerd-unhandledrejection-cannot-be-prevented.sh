#!/usr/bin/env bash
# In workerd, the event `unhandledrejection` cannot be prevented, and the rejection is logged nowhere.
#
# Package: miniflare@4.20260730.0 with the workerd that it installs (npm).
# Expected: as in browsers and Deno, the event is cancelable, and preventDefault() marks it as handled.
# Seen: the listener is called, `cancelable` is false, and `defaultPrevented` stays false after
#   preventDefault(). The request goes on.
# Impact: a library that marks its own rejections as handled in Deno and browsers cannot do so here.
#   Other listeners, such as those of an error reporter, still see each one, unless the first listener
#   stops the event.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund miniflare@4.20260730.0 deno@2.9.6
cat >run.mjs <<'JS'
import { Miniflare } from "miniflare";

const script = `
const seen = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  seen.push({ cancelable: event.cancelable, defaultPrevented: event.defaultPrevented });
});
export default {
  async fetch() {
    void Promise.reject(new TypeError("nobody handles this"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    return Response.json(seen);
  },
};`;
const miniflare = new Miniflare({
  modules: true, script, compatibilityDate: "2026-07-01",
  handleRuntimeStdio: (out, err) => { out.resume(); err.resume(); },
});
const seen = await (await miniflare.dispatchFetch("http://localhost/")).text();
await miniflare.dispose();
console.log(`miniflare 4.20260730.0: ${seen}`);
process.exit(seen === '[{"cancelable":false,"defaultPrevented":false}]' ? 0 : 1);
JS
timeout 120 npx deno run --quiet --no-config --node-modules-dir=manual -A run.mjs

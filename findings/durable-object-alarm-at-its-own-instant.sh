#!/usr/bin/env bash
# A Durable Object loses an alarm that its alarm handler sets to the instant of the current alarm.
#
# Package: miniflare@4.20260730.0 with the workerd that it installs (npm).
# Expected: setAlarm(now) inside alarm() fires again at once, as setAlarm(now + 1) does.
# Seen: if the handler runs in the millisecond of its alarm, the new alarm never fires. getAlarm()
#   still shows it seconds later. If the handler runs a millisecond later, or sets the alarm to a
#   millisecond later, the alarm fires.
# Impact: a scheduler sets the alarm to "the next due time". If several jobs are due at one instant,
#   all but the first never run.
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
import { DurableObject } from "cloudflare:workers";
export class Timer extends DurableObject {
  fetch(request) {
    const { sql } = this.ctx.storage;
    sql.exec("create table if not exists runs (late integer)");
    if (new URL(request.url).pathname === "/arm") {
      this.ctx.storage.setAlarm(Date.now() + 50);
      return new Response("armed");
    }
    return this.ctx.storage.getAlarm().then((alarm) =>
      Response.json({ runs: sql.exec("select late from runs").toArray().map(({ late }) => late), alarm: alarm !== null })
    );
  }
  alarm({ scheduledTime }) {
    const { sql } = this.ctx.storage;
    const late = Date.now() - scheduledTime;
    sql.exec("insert into runs values (?)", late);
    const plus = this.ctx.id.name.startsWith("later") ? 1 : 0;
    if (sql.exec("select count(*) as n from runs").one().n === 1) this.ctx.storage.setAlarm(scheduledTime + plus);
  }
}
export default {
  fetch: (request, env) => env.TIMER.get(env.TIMER.idFromName(new URL(request.url).searchParams.get("name"))).fetch(request),
};`;
const miniflare = new Miniflare({
  modules: true, script, compatibilityDate: "2026-07-01", durableObjects: { TIMER: { className: "Timer", useSQLite: true } },
  handleRuntimeStdio: (out, err) => { out.resume(); err.resume(); },
});
const ask = (path, name) => miniflare.dispatchFetch(`http://localhost/${path}?name=${name}`);
const own = { set: 0, lost: 0 };
const later = { set: 0, lost: 0 };
for (let round = 0; round < 20 && (own.set < 3 || later.set < 3); round++) {
  const names = Array.from({ length: 20 }, (_, index) => [`own ${round} ${index}`, `later ${round} ${index}`]).flat();
  for (const name of names) await (await ask("arm", name)).text();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const name of names) {
    const { runs, alarm } = await (await ask("state", name)).json();
    // Only a handler that ran in the millisecond of its alarm counts.
    if (runs[0] !== 0) continue;
    const count = name.startsWith("own") ? own : later;
    count.set++;
    if (runs.length === 1 && alarm) count.lost++;
  }
}
await miniflare.dispose();
console.log(`miniflare 4.20260730.0, handlers that ran in their alarm's millisecond: own instant ${JSON.stringify(own)}, one later ${JSON.stringify(later)}`);
process.exit(own.lost > 0 && later.set > 0 && later.lost === 0 ? 0 : 1);
JS
timeout 120 npx deno run --quiet --no-config --node-modules-dir=manual -A run.mjs

import assert from "node:assert/strict";
import { systemClock } from "../../../../core/time/clock.ts";
import type { ClaimResult, Driver } from "../../../../core/driver/driver.ts";
import { withRetries } from "../../../../core/time/retry.ts";
import { claimRequest } from "../../../../conformance/requests.ts";
import { everyOperation } from "../../../support/every_operation.ts";
import type { RelayAction, RelayMoment } from "../../../support/relay.ts";
import { type DriverSetting, upstashDriverTest } from "../support/driver.ts";

/** Time stands still, so that the content of Redis is the same each time. */
const clock = () => Date.UTC(2026, 0, 1);

/** Operations that need several requests, which the story of all drivers leaves out. */
function story(driver: Driver): (() => Promise<unknown>)[] {
  return [
    ...everyOperation(driver),
    // A repeat of a claim answers in any order.
    async () => byId(await driver.claim(claimRequest({ owner: "third" }))),
    () => driver.control({ workflowId: "child", action: "cancel" }),
    () => driver.control({ workflowId: "other", action: "cancel" }),
    // A repeat of a purge counts only its own removals.
    async () => void await driver.purge({ olderThanMs: 0, limit: 10 }),
  ];
}

function byId({ claimed, ...rest }: ClaimResult): ClaimResult {
  return { ...rest, claimed: claimed.toSorted((a, b) => a.workflow.workflowId < b.workflow.workflowId ? -1 : 1) };
}

/**
 * The story without faults: the requests of each operation, its answer, and the content of Redis
 * after it.
 */
interface Expected {
  readonly requests: number;
  readonly answer: unknown;
  readonly held: unknown;
}

/** Runs the story without faults, over keys of its own. */
async function peaceful({ open, server, prefix, dump }: DriverSetting): Promise<Expected[]> {
  const expected: Expected[] = [];
  const driver = open({ prefix: `${prefix}.peace` });
  for (const operation of story(driver)) {
    const before = server.requests.command;
    const answer = await operation();
    expected.push({ requests: server.requests.command - before, answer, held: await dump(`${prefix}.peace`) });
  }
  return expected;
}

/** What is stored under a name that has the prefix in it, as those of the sets of waiters. */
function without(prefix: string, value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(prefix, ""));
}

const REQUESTS = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 2];
const PURGE = REQUESTS.length - 1;

for (const at of ["before", "after", "head", "body"] as const) {
  upstashDriverTest(
    `every operation in turn is cut ${at} its answer, and takes effect exactly once`,
    async (setting) => {
      await setting.loadScripts();
      const expected = await peaceful(setting);
      assert.deepEqual(expected.map(({ requests }) => requests), REQUESTS);
      const { server, prefix, dump, open } = setting;
      // Each request of an operation is cut once, each time in a story of its own.
      for (let cut = 1; cut <= Math.max(...REQUESTS); cut++) {
        const own = `${prefix}.${at}.${cut}`;
        const driver = withRetries(open({ prefix: own }), systemClock);
        for (const [index, operation] of story(driver).entries()) {
          const { requests, answer, held } = expected[index]!;
          const fault = requests < cut ? undefined : cutNth(setting, at, cut, index % 2 === 0 ? "fin" : "reset");
          const before = server.requests.command;
          const shown = `request ${cut} of ${operation}`;
          assert.deepEqual(await operation(), answer, shown);
          assert.deepEqual(without(own, await dump(own)), without(`${prefix}.peace`, held), shown);
          // The server does not count requests that are cut before they reach it. A purge that has
          // removed everything finds nothing when it is repeated.
          const made = server.requests.command - before + (at === "before" && fault ? 1 : 0);
          const repeated = index === PURGE && cut === 2 && at !== "before" ? 1 : requests;
          assert.equal(made, fault ? cut + repeated : requests, `${shown}: what was made, and all of it again`);
          assert.equal(fault?.hits ?? 1, 1);
        }
      }
    },
    { clock },
  );
}

/** Cuts the connection at a later request, counted from 1. */
function cutNth({ relay }: DriverSetting, at: RelayMoment, nth: number, ending: "fin" | "reset") {
  let seen = 0;
  const action: RelayAction = { kind: "cut", ending };
  return relay.fault({ at, action, matches: () => ++seen === nth });
}

/** Lets the server forget its scripts right before each request. */
function flushAlways({ server, flushScripts }: DriverSetting): Disposable {
  return server.fault({
    times: Infinity,
    matches: ({ commands: [command] }) => command?.[0] !== "SCRIPT",
    answer: async () => void await flushScripts(),
  });
}

upstashDriverTest(
  "scripts may be flushed at any moment: each request is made twice and takes effect once",
  async (setting) => {
    await setting.loadScripts();
    const expected = await peaceful(setting);
    const { open, server, prefix, dump } = setting;
    const driver = open();
    using _ = flushAlways(setting);
    const seen: (string | undefined)[] = [];
    using _seen = server.observe(({ commands: [command] }) => void seen.push(command?.[0]));
    for (const [index, operation] of story(driver).entries()) {
      const { requests, answer, held } = expected[index]!;
      seen.length = 0;
      assert.deepEqual(await operation(), answer, String(operation));
      assert.deepEqual(without(prefix, await dump()), without(`${prefix}.peace`, held), String(operation));
      const made = seen.filter((name) => name !== "SCRIPT");
      assert.deepEqual(made, Array.from({ length: requests }, () => ["EVALSHA", "EVAL"]).flat(), String(operation));
    }
  },
  { clock },
);

upstashDriverTest(
  "scripts that are flushed after an answer was lost are sent once more, and take effect once",
  async (setting) => {
    await setting.loadScripts();
    const expected = await peaceful(setting);
    const { open, server, prefix, dump, relay, flushScripts } = setting;
    for (const lost of ["EVALSHA", "EVAL"]) {
      const own = `${prefix}.${lost}`;
      const driver = withRetries(open({ prefix: own }), systemClock);
      for (const [index, operation] of story(driver).slice(0, PURGE).entries()) {
        const { requests, answer, held } = expected[index]!;
        if (lost === "EVAL") await flushScripts();
        using flush = server.fault({
          at: "after",
          matches: isFirst(lost),
          answer: async () => void await flushScripts(),
        });
        const cut = relay.fault({
          at: "after",
          action: { kind: "cut" },
          matches: ({ body }) => commandOf(body) === lost,
        });
        const before = server.requests.command;
        assert.deepEqual(await operation(), answer, String(operation));
        assert.deepEqual(without(own, await dump(own)), without(`${prefix}.peace`, held), String(operation));
        assert.deepEqual([flush.hits, cut.hits], [1, 1]);
        // The lost request, for EVAL with the EVALSHA before it, then each request twice. The
        // request that flushed the scripts is not the driver's.
        const made = server.requests.command - before - 1;
        assert.equal(made, (lost === "EVAL" ? 2 : 1) + 2 * requests, `${lost} of ${operation}`);
      }
    }
  },
  { clock },
);

function isFirst(name: string): (request: { commands: readonly (readonly string[])[] }) => boolean {
  return ({ commands: [command] }) => command?.[0] === name;
}

function commandOf(body: Uint8Array): string {
  return JSON.parse(new TextDecoder().decode(body))[0];
}

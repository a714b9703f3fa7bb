/**
 * The suites of the adapter, for one that runs in workerd.
 *
 * @module
 */

import { auth } from "../http/suites/auth.ts";
import { durableStreams } from "../http/suites/durable_streams.ts";
import { durableStreamsClient } from "../http/suites/durable_streams_client.ts";
import { events } from "../http/suites/events.ts";
import { edges } from "../http/suites/edges.ts";
import { live } from "../http/suites/live.ts";
import { names } from "../http/suites/names.ts";
import { providers } from "../http/suites/providers.ts";
import { requests } from "../http/suites/requests.ts";
import { routes } from "../http/suites/routes.ts";
import { streams } from "../http/suites/streams.ts";
import { liveStreams } from "../http/suites/streams_live.ts";
import { except, type MakeRemoteHarness } from "../support/workerd/harness.ts";

const IN_PROCESS = "what it observes or breaks is in the adapter's own process";
const OWN_AUTH = "a function of the test cannot be an auth in another process";
const ON_THE_WIRE = "a client sends no length that is not the body's";

const SOME_LEFT_OUT = "some of its tests are left out";

const EXEMPT: Readonly<Record<string, string>> = {
  "Durable Streams: a poll lasts 30 s at most, and a connection a minute, whatever the server's own limits": IN_PROCESS,
  "a body has a limit, whatever its declared length": ON_THE_WIRE,
  "a cursor of 100,000 characters is no fault of the server": "no server takes a URL of this length",
  "a body that is too large is read no further than it takes to know":
    "a client that goes on sending sees its connection reset",
  "a fault of the store that may pass is 503, to be tried again, reported, and without its words": IN_PROCESS,
  "a fault of the store that nobody expected is 502, reported, and without its words": IN_PROCESS,
  "a fault of the store that will not pass is 502, reported, and without its words": IN_PROCESS,
  "a parley that cannot be made is the server's fault": IN_PROCESS,
  "a reader that does not read has nothing read for it": IN_PROCESS,
  "a reader that leaves, before it reads or while it waits, leaves no subscription, timer or listener": IN_PROCESS,
  "a reader of a workflow that ends and is purged before it looks again comes to its end": IN_PROCESS,
  "a reader that leaves before its answer has begun leaves nothing": IN_PROCESS,
  "a reader that leaves while it waits for one answer ends the wait at once": IN_PROCESS,
  "a store that fails breaks a body off, which never looks complete, and is reported": IN_PROCESS,
  "an error that the caller caused is not reported, nor that the caller went away": IN_PROCESS,
  "an auth may read the body": OWN_AUTH,
  "an auth of the user's own is asked once for each workflow and topic, with the action": OWN_AUTH,
  "an auth's HTTPException is the answer, its other errors are the server's fault, and only true is yes": OWN_AUTH,
  "every test of the auth suite ran": SOME_LEFT_OUT,
  "every test of the edges suite ran": SOME_LEFT_OUT,
  "every test of the requests suite ran": SOME_LEFT_OUT,
  "an auth is asked about the workflow that starts": OWN_AUTH,
  "an auth is asked for each stream and each event": OWN_AUTH,
  "a token must allow every stream and event": OWN_AUTH,
};

/** workerd closes a connection on which a body was left unread, and a client may see that before it sees the answer. Deno does not. */
export const UNREAD: Readonly<Record<string, string>> = {
  "a body has a limit, whether its length is declared or not": "workerd closes a connection whose body was left unread",
};

/** Registers the tests, but for those that are exempt, as are those of `more`. */
export function suites(makeHarness: MakeRemoteHarness, more: Readonly<Record<string, string>> = {}): void {
  const test = except({ ...EXEMPT, ...more });
  streams(test, makeHarness);
  events(test, makeHarness);
  live(test, makeHarness);
  durableStreams(test, makeHarness);
  durableStreamsClient(test, makeHarness);
  liveStreams(test, makeHarness);
  routes(test, makeHarness);
  requests(test, makeHarness);
  auth(test, makeHarness);
  providers(test, makeHarness);
  edges(test, makeHarness);
  names(test, makeHarness, { runs: 10 });
  test.done();
}

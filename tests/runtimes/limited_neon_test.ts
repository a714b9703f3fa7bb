import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { neonRemote } from "../support/workerd/harness.ts";
import { suites } from "../workerd/suites.ts";
import { startLimited } from "./limited.ts";

suites(await neonRemote(await postgresUrl(), await startLimited()));

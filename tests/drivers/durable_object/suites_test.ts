import { crashCalls } from "../../support/crashes.ts";
import { registerSuites } from "./support/suites.ts";

// The statements of all calls are tried over SQLite.
await registerSuites({ CRASHES: JSON.stringify(crashCalls("Durable Object")) });

import { crashCalls } from "../../support/crashes.ts";
import { registerSuites } from "./support/suites.ts";

await registerSuites({ PUSH: "yes", CRASHES: crashCalls("odd") });

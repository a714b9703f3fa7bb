import { DENO_PROGRAM } from "./support/process.ts";
import { endsAtBrokenPipe, endsAtInterrupt } from "./support/live.ts";

Deno.test("parley stream --follow ends at Ctrl-C with exit code 130", () => endsAtInterrupt(DENO_PROGRAM));

Deno.test("a reader that goes away ends a command quietly", () => endsAtBrokenPipe(DENO_PROGRAM));

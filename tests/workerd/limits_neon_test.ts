import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { neonSite } from "../support/workerd/limits.ts";
import { limits } from "./limits.ts";

await limits("Neon", await neonSite(await postgresUrl()), { polls: true });

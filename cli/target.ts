/**
 * The server or the store that a command talks to.
 *
 * @module
 */

import type { Client } from "../core/client.ts";
import type { SweepResult } from "../core/runner/runner.ts";
import type { Duration } from "../core/values/checks.ts";
import { CliError } from "./exit_codes.ts";
import type { CliIo } from "./io.ts";
import type { Options } from "./options.ts";
import { reportLine } from "./report.ts";

/** What a command talks to. */
export interface Target {
  readonly client: Client;
  /** Sweeps at the server. A store has none. */
  readonly sweep?: (limit: number | undefined) => Promise<SweepResult>;
  /** Removes workflows that have ended, from a store. A server has no route for it. */
  readonly purge?: (options: { olderThan: Duration; limit?: number }) => Promise<number>;
  close(): Promise<void>;
}

/** The address of a target. */
export interface Address {
  readonly kind: "server" | "postgres" | "sqlite" | "upstash";
  readonly url: string;
}

/** How long a sweep at the server may take. It runs workflows until they end or wait. */
const SWEEP_MS = 900_000;

/**
 * Finds the address: of the options first, then of the environment.
 *
 * @throws {CliError} If there is none, or none that can be read. The message shows nothing of it.
 */
export function readAddress(options: Options, { env }: Pick<CliIo, "env">): Address {
  options.atMostOne("url", "store");
  const [givenUrl, givenStore] = [options.text("url"), options.text("store")];
  const isGiven = givenUrl !== undefined || givenStore !== undefined;
  const url = isGiven ? givenUrl : env.PARLEY_URL || undefined;
  const store = isGiven ? givenStore : env.PARLEY_STORE || undefined;
  if (url !== undefined && store !== undefined) {
    throw new CliError("PARLEY_URL and PARLEY_STORE are both set: say which one with --url or --store");
  }
  const address = url ?? store;
  if (address === undefined) {
    throw new CliError(
      "Say where the workflows are: --url or PARLEY_URL for a server, --store or PARLEY_STORE for a store",
    );
  }
  if (/^postgres(ql)?:/.test(address)) return { kind: "postgres", url: address };
  if (/^sqlite:/.test(address)) return { kind: "sqlite", url: address };
  const parsed = URL.parse(address);
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new CliError("Reading the address: it must begin with https://, http://, postgres:// or sqlite:");
  }
  const isUpstash = store !== undefined || /\.upstash\.io$/.test(parsed.hostname);
  return { kind: isUpstash ? "upstash" : "server", url: address };
}

/**
 * Opens the server or the store. Only the client that it needs is loaded.
 *
 * @param secrets Gets the token and the password.
 */
export async function openTarget(options: Options, io: CliIo, secrets: Set<string>): Promise<Target> {
  const address = readAddress(options, io);
  // An error of a client may show parts of an address, and a password in an encoded or a plain form.
  const { username, password } = partsOf(address.url);
  // A password that is also a name, as in postgres://parley:parley@host/parley, would take the name out
  // of every message, and the stars would tell what the password is.
  const names = new Set([
    "parley",
    username,
    options.text("schema"),
    ...(URL.parse(asHttp(address.url))?.pathname ?? "").split("/"),
  ]);
  for (
    const secret of [password, decoded(password), username && password ? address.url : "", io.env.PGPASSWORD ?? ""]
  ) {
    if (secret !== "" && !names.has(secret)) secrets.add(secret);
  }
  const onError = toReport(options, io, secrets);
  if (address.kind === "postgres" || address.kind === "sqlite") {
    return await openStore(address, options, onError, undefined);
  }
  const token = await readToken(options, io);
  secrets.add(token);
  return address.kind === "upstash"
    ? await openStore(address, options, onError, token)
    : await openServer(address.url, token, io, onError);
}

async function openServer(
  url: string,
  token: string,
  io: CliIo,
  onError: (error: unknown) => void,
): Promise<Target> {
  const [{ connect }, { ClientTransport }] = await Promise.all([
    import("../http/client/client.ts"),
    import("../http/client/transport.ts"),
  ]);
  const settings = { url, token, onError, ...(io.fetch && { fetch: io.fetch }) };
  const transport = new ClientTransport(settings);
  return {
    client: connect(settings),
    sweep: (limit) =>
      transport.once<SweepResult>({
        operation: "sweep",
        method: "POST",
        path: `/sweep${limit === undefined ? "" : `?limit=${limit}`}`,
        body: {},
        waitMs: SWEEP_MS,
        signal: io.signal,
      }),
    close: () => Promise.resolve(),
  };
}

async function openStore(
  address: Address,
  options: Options,
  onError: (error: unknown) => void,
  token: string | undefined,
): Promise<Target> {
  const [{ Parley }, stores] = await Promise.all([import("../core/parley.ts"), import("./stores.ts")]);
  const { driver, close } = address.kind === "postgres"
    ? await stores.openSql(address.url, options)
    : address.kind === "sqlite"
    ? await stores.openFile(address.url.replace(/^sqlite:/, ""))
    : await stores.openRest(address.url, token!, options);
  // There is no code here that could continue a workflow.
  const parley = new Parley({ driver, wake: "none", onError });
  return {
    client: parley,
    purge: (request) => parley.purge(request),
    close: async () => {
      await parley.close({ timeout: 0 });
      await close();
    },
  };
}

/** Tells of faults that a wait survives. */
function toReport(options: Options, io: CliIo, secrets: ReadonlySet<string>): (error: unknown) => void {
  return (error) => void io.err(reportLine("warning", error, { isJson: options.flag("json"), secrets }));
}

/** Returns the token. @throws {CliError} If there is none. */
async function readToken(options: Options, { env }: CliIo): Promise<string> {
  options.atMostOne("token", "token-file");
  const file = options.text("token-file");
  const token = file === undefined ? options.text("token") ?? env.PARLEY_TOKEN : await readTokenFile(file);
  if (token) return token;
  throw new CliError("Give the token: in the variable PARLEY_TOKEN, in a file with --token-file, or with --token");
}

async function readTokenFile(path: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    throw new CliError("Reading --token-file: the file must be there and be readable");
  }
}

function partsOf(url: string): { username: string; password: string } {
  const parsed = URL.parse(asHttp(url));
  // The parameters may have a password too, which libpq allows.
  return {
    username: parsed?.username ?? "",
    password: parsed?.password || parsed?.searchParams.get("password") || "",
  };
}

/** The address with a scheme that `URL` knows. */
function asHttp(url: string): string {
  return url.replace(/^postgres(ql)?:/, "http:");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

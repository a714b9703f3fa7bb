/**
 * How Upstash treats commands: which it refuses, which only read, and which it bills.
 *
 * @module
 */

import type { Redis } from "./redis.ts";
import { bytesOf, errorReply, type Reply, type RespCommand, textOf } from "./resp.ts";

/** How the server treats a command. */
export interface Kind {
  /** An answer that does not need Redis. */
  readonly answer?: Reply;
  /** Whether it changes nothing, so that a replica may answer it. */
  readonly isRead: boolean;
  /** Whether the read-only token may send it. */
  readonly isHarmless: boolean;
  readonly isBilled: boolean;
}

/**
 * Commands about the connection, transactions by hand, and commands that wait
 * (https://upstash.com/docs/redis/features/restapi, 2026-11).
 */
const NOT_IN_REST = new Set(
  ("MULTI EXEC DISCARD WATCH UNWATCH SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE MONITOR AUTH HELLO QUIT RESET " +
    "SELECT CLIENT BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZPOPMIN BZPOPMAX BZMPOP").split(" "),
);

/**
 * In Redis 7.0 and not at Upstash (https://upstash.com/docs/redis/overall/rediscompatibility and
 * /docs/redis/commands, 2026-11).
 */
const UNAVAILABLE = new Set(
  ("CLUSTER ASKING READONLY READWRITE MOVE SORT SORT_RO OBJECT MIGRATE SWAPDB DEBUG SAVE BGSAVE BGREWRITEAOF LASTSAVE SHUTDOWN REPLICAOF " +
    "SLAVEOF FAILOVER LATENCY SLOWLOG MODULE PSYNC SYNC REPLCONF ROLE PFDEBUG PFSELFTEST RESTORE-ASKING LOLWUT SUBSTR")
    .split(" "),
);

/**
 * `https://upstash.com/docs/redis/overall/billing` (2026-11) names these; the full list of
 * exceptions is not in the documentation.
 */
const FREE = new Set(["INFO", "PING", "AUTH"]);

/**
 * Reads that the read-only token may not send, and commands that it may send although they read no
 * key.
 */
const POWERFUL = new Set(["SCAN", "KEYS"]);
const HARMLESS = new Set(["PING", "ECHO", "TIME"]);

const COMPATIBILITY = "See https://upstash.com/docs/redis/overall/rediscompatibility for details";

/** The commands of a Redis. */
export class Commands {
  /**
   * Whether a command only reads, by its name in lower case, with a subcommand as in
   * `xinfo|stream`.
   */
  readonly #reads: ReadonlyMap<string, boolean>;

  readonly #isProxy: boolean;

  private constructor(reads: ReadonlyMap<string, boolean>, isProxy: boolean) {
    this.#reads = reads;
    this.#isProxy = isProxy;
  }

  /** `isProxy`: Redis itself answers all of them. */
  static async of(redis: Redis, { isProxy = false }: { readonly isProxy?: boolean } = {}): Promise<Commands> {
    const table = await redis.ask("COMMAND") as readonly unknown[][];
    return new Commands(new Map(table.flatMap((it) => [flagsOf(it), ...(it[9] as unknown[][]).map(flagsOf)])), isProxy);
  }

  /** How to treat a command, and the answer if Redis must not see it. */
  kindOf(args: RespCommand): Kind {
    const given = textOf(args[0] ?? new Uint8Array());
    const name = given.toUpperCase();
    const read = this.#reads.get(given.toLowerCase());
    const key = `${given}|${textOf(args[1] ?? new Uint8Array())}`.toLowerCase();
    const isRead = this.#reads.get(key) ?? read ?? false;
    const answer = this.#isProxy
      ? undefined
      : read === undefined || UNAVAILABLE.has(name)
      ? errorReply(`ERR Command is not available: '${given}'. ${COMPATIBILITY}`)
      : refusal(name, args) ?? emulated(name, args);
    return {
      ...(answer ? { answer } : {}),
      isRead,
      isHarmless: (isRead && !POWERFUL.has(name)) || HARMLESS.has(name),
      isBilled: !FREE.has(name),
    };
  }
}

/** The answer if the read-only token may not send a command. */
export function notPermitted(args: RespCommand): Reply {
  const name = textOf(args[0] ?? new Uint8Array()).toLowerCase();
  return errorReply(`NOPERM this user has no permissions to run the '${name}' command or its subcommand`);
}

function flagsOf([name, , flags]: readonly unknown[]): [string, boolean] {
  return [String(name), (flags as string[]).includes("readonly")];
}

function refusal(name: string, args: RespCommand): Reply | undefined {
  if (!NOT_IN_REST.has(name) && !isBlockingRead(name, args)) return undefined;
  return errorReply(`ERR Command "${name}" is not allowed in REST or it has a special context path`);
}

/** `XREAD BLOCK` and `XREADGROUP BLOCK` are refused; that they get the same text is a guess. */
function isBlockingRead(name: string, args: RespCommand): boolean {
  if (name !== "XREAD" && name !== "XREADGROUP") return false;
  const words = args.map((it) => textOf(it).toUpperCase());
  return words.slice(0, words.indexOf("STREAMS")).includes("BLOCK");
}

/**
 * Commands that do less than in Redis: `COMMAND` is empty, and the only setting is that of keyspace
 * notifications.
 */
function emulated(name: string, args: RespCommand): Reply | undefined {
  const [subcommand = "", setting = ""] = args.slice(1).map((it) => textOf(it).toLowerCase());
  if (name === "COMMAND") return { kind: "array", items: [] };
  if (name !== "CONFIG" || setting === "notify-keyspace-events") return undefined;
  if (subcommand === "get") return { kind: "array", items: [] };
  return { kind: "error", text: bytesOf(`ERR Unsupported CONFIG parameter: ${setting}`) };
}

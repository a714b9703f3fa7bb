/**
 * Statements that node-postgres prepares once for each connection.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";
import { sqlState } from "./driver_error.ts";
import { hashOf } from "./sql/schema_name.ts";

/** What node-postgres takes in place of a text and parameters. */
interface NamedQuery {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A client, as `Queryable` describes it. */
interface Client {
  query(text: string, params?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

interface NodePostgres {
  query(query: NamedQuery): ReturnType<Client["query"]>;
}

/**
 * SQLSTATEs of a session that lacks a prepared statement, or has one that its client has not
 * prepared. The statement was not carried out.
 */
const OTHER_SESSION = /^(26000|42P05)$/;

/**
 * Returns a client that prepares statements with parameters, or the given one if it cannot do so.
 *
 * A name belongs to one text, so a name that another client has prepared means the same text.
 * Behind some poolers, a session does not keep what was prepared. The client then sends the
 * statement again, and stops preparing.
 *
 * @param wanted Whether to prepare. Without it, the client prepares if it is one of node-postgres.
 * @throws {ValidationError} If it is wanted of a client that is not one of node-postgres.
 */
export function preparing(client: Client, wanted: boolean | undefined): Client {
  const takesNames = isNodePostgres(client);
  if (wanted && !takesNames) {
    throw new ValidationError(
      "Using a Postgres client with `prepare`: it must be a Pool or a Client of node-postgres; leave `prepare` out, " +
        "and let the query method of the client prepare",
    );
  }
  if (wanted === false || !takesNames) return client;
  const names = new Map<string, string>();
  const nameOf = (text: string) => {
    const name = names.get(text) ?? `parley_${hashOf(text)}`;
    names.set(text, name);
    return name;
  };
  let isPreparing = true;
  return {
    query: async (text, params = []) => {
      if (!isPreparing || params.length === 0) return await client.query(text, params);
      try {
        return await client.query({ name: nameOf(text), text, values: params });
      } catch (error) {
        if (!OTHER_SESSION.test(sqlState(error) ?? "")) throw error;
        isPreparing = false;
        return await client.query(text, params);
      }
    },
  };
}

/** A `Pool` has the class of its clients, and a `Client` has what it connects with. */
function isNodePostgres(client: object): client is NodePostgres {
  return typeof Reflect.get(client, "Client") === "function" || isOneConnection(client);
}

/** Tells whether a client is a `Client` of node-postgres, which is one connection. */
export function isOneConnection(client: object): boolean {
  return typeof Reflect.get(client, "connectionParameters") === "object";
}

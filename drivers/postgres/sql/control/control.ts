/**
 * Cancelling, resuming, deleting and purging workflows.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { entryPoint, type SqlPart } from "../sql_function.ts";
import { cancelSql } from "./cancel.ts";
import { removeSql } from "./remove.ts";
import { resumeSql } from "./resume.ts";

/** `Driver.control`, `Driver.delete` and `Driver.purge`. */
export const controlSql: readonly SqlPart[] = [...cancelSql, ...resumeSql, control, ...removeSql];

/** `Driver.control`: cancels or resumes a workflow. It is atomic because either is. */
function control({ identifier: s }: SchemaName): string {
  return entryPoint(`
create function ${s}.control_v1(request jsonb) returns json
language plpgsql volatile as
begin
  return case request->>'action'
    when 'cancel' then ${s}.cancel_v1(request->>'workflowId', coalesce((request->>'children')::boolean, false))
    else ${s}.resume_v1(
      request->>'workflowId', (request->'from'->>'position')::bigint, request->'from'->>'token'
    )
  end;
end;
`);
}

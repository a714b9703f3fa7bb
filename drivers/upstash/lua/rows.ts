/**
 * The row of a workflow: the field `row` of a hash, as JSON. The hash also has the values that
 * callers see: `problem`, `error`, `input` and `output`. Members of a row:
 *
 * - `id`, `name`, `status`, `epoch`, `owner`, `createdAt`, `updatedAt`, `endedAt`
 * - `held`: whether a run holds it; `lease`: the end of the lease; `leaseMs`: its length
 * - `byDue`: whether a claim by due time has taken it, so that the set of that claim has it
 * - `attempts`: how often it was taken over since its last progress
 * - `lastCommit`: the number of the last commit of this epoch; `released`: whether that let go of
 *   the workflow
 * - `entries`: how many complete entries the journal has
 * - `journalBytes`, `eventBytes`, `streamBytes`: the bytes of these collections, fields and values
 * - `suspended`: the labels, topics and earliest deadline of its waits, while it is suspended
 * - `waits`: where it is registered, see `waiters.ts`
 * - `parked`, `parks`: whether it is parked, and how often it was since its last progress
 * - `origin`, `parent`, `children`, `kept`, `expires`: see `ending.ts`
 */
export const rows = String.raw`
-- The workflow that the request is about.
local own = request.workflowId

-- By ID: the rows that were read; false if there is none.
local rows = {}

local function load(id)
  if rows[id] == nil then
    local text = call('HGET', keyOf(id, 'workflow'), 'row')
    rows[id] = text and cjson.decode(text)
  end
  return rows[id]
end

-- Writes the row, and other fields of its hash.
local function save(row, ...)
  call('HSET', keyOf(row.id, 'workflow'), 'row', cjson.encode(row), ...)
end

local function isEnded(row)
  return row.status ~= 'ENQUEUED' and row.status ~= 'PENDING'
end

-- The member of the shared keys for a workflow.
local function memberOf(row)
  return row.id .. '\0' .. row.name
end

local function idOf(member)
  return string.match(member, '^[^%z]*')
end

local function nameOf(member)
  return string.sub(member, #idOf(member) + 2)
end

-- The place of a workflow in the index of its status: ordered by text, the newest first, then by ID.
local function indexPlace(row)
  return string.format('%014.0f', LATEST - row.createdAt) .. memberOf(row)
end

-- The place of a workflow in the index of its status and name.
local function namedPlace(place)
  return nameOf(place) .. '\0' .. idOf(place)
end

local function addToIndex(status, place)
  call('ZADD', sharedKey('index/' .. status), '0', place)
  call('ZADD', sharedKey('named/' .. status), '0', namedPlace(place))
end

local function dropFromIndex(status, place)
  call('ZREM', sharedKey('index/' .. status), place)
  call('ZREM', sharedKey('named/' .. status), namedPlace(place))
end

-- Parked workflows have an index of their own, besides that of their status.
local PARKED = 'parked'

local function unpark(row)
  if row.parked then
    dropFromIndex(PARKED, indexPlace(row))
  end
  row.parked, row.parks = false, 0
end

local function reindex(row, status)
  dropFromIndex(row.status, indexPlace(row))
  addToIndex(status, indexPlace(row))
  row.status = status
end
`;

/** A row as callers see it. */
export const records = String.raw`
-- Without values, longer errors are left out: 4,096 characters have at most this many bytes.
local MAX_ERROR_BYTES = 12288

local function record(row, problem, failure, input, output)
  if not input and failure and #failure > MAX_ERROR_BYTES then
    failure = nil
  end
  local waiting = row.suspended and {
    operations = row.suspended.labels, ['until'] = row.suspended.till or cjson.null,
  }
  return {
    workflowId = row.id, name = row.name, status = row.status, createdAt = row.createdAt, updatedAt = row.updatedAt,
    recoveryAttempts = row.attempts, waiting = waiting or cjson.null, input = optional(input),
    output = optional(output), error = optional(failure), problem = optional(row.parked and problem),
    parks = row.parks,
  }
end
`;

/** Inserts a workflow. */
export const insert = String.raw`
-- A new row. 'origin' is unique to this workflow, even among workflows with the same ID.
local function newRow(id, name, status, origin)
  rows[id] = {
    id = id, name = name, status = status, origin = origin, owner = '', epoch = 0, held = false,
    createdAt = now, updatedAt = now, attempts = 0, parks = 0, lastCommit = 0, entries = 0,
    journalBytes = 0, eventBytes = 0, streamBytes = 0,
  }
  return rows[id]
end

local function insert(row, input)
  save(row, 'input', input)
  addToIndex(row.status, indexPlace(row))
  changed('outbox:' .. row.id)
end
`;

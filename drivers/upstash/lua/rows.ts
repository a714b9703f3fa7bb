/**
 * The row of a workflow: the field `row` of a hash, as JSON. `keys.ts` has the other fields.
 * Members of a row:
 *
 * - `id`, `name`, `status`, `epoch`, `owner`, `createdAt`, `updatedAt`, `endedAt`
 * - `held`: whether a run holds it; `lease`: the end of the lease; `leaseMs`: its length; `listed`:
 *   the end that `due` has, see `schedule.ts`
 * - `byDue`: whether a claim by due time has taken it, so that the set of that claim has it
 * - `attempts`: how often it was taken over since its last progress
 * - `lastCommit`: the number of the last commit of this epoch; `released`: whether that let go of
 *   the workflow
 * - `entries`: how many complete entries the journal has; `open`: the positions of open entries
 * - `bytes`, `streamBytes`: the bytes of the hash without the row, and of the streams
 * - `takenBytes`: the bytes that the inbox counts and that were received
 * - `suspended`: the labels, topics and earliest deadline of its waits, while it is suspended
 * - `waits`: where it is registered, see `waiters.ts`
 * - `failed`: position and label of the operation whose error ended it
 * - `generation`, `rewinds`, `received`: how often it was continued as new and rewound, and how many
 *   messages of its inbox were received
 * - `parked`, `parks`: whether it is parked, and how often it was since its last progress
 * - `origin`, `parent`, `children`, `kept`, `expires`: see `ending.ts`
 */
export const rows = [
  // The workflow that the request is about.
  String.raw`local own = request.workflowId`,
  // By ID: the rows that were read; false if there is none.
  String.raw`local rows = {}

local function load(id)
  if rows[id] == nil then
    local text = read(hashOf(id, 'workflow'), 'row')
    rows[id] = text and cjson.decode(text)
  end
  return rows[id]
end

local function save(row) saved[row.id] = row end

local function isEnded(row) return row.status ~= 'ENQUEUED' and row.status ~= 'PENDING' end`,
  // The member of the shared keys for a workflow.
  String.raw`local function memberOf(row) return row.id .. '\0' .. row.name end
local function idOf(member) return string.match(member, '^[^%z]*') end
local function nameOf(member) return string.sub(member, #idOf(member) + 2) end`,
  // The place of a workflow in the index of its status: ordered by text, the newest first, then by
  // ID. The index has it twice: behind an 'i', and by name behind an 'n'.
  String.raw`local function indexPlace(row) return padded(LATEST - row.createdAt) .. memberOf(row) end

local function setIndex(status, place, score)
  put(shared('index/' .. status), 'i' .. place, score)
  put(shared('index/' .. status), 'n' .. nameOf(place) .. '\0' .. idOf(place), score)
end
local function addToIndex(status, place) setIndex(status, place, '0') end
local function dropFromIndex(status, place) setIndex(status, place, false) end`,
  // Parked workflows have an index of their own, besides that of their status.
  String.raw`local PARKED = 'parked'

local function unpark(row)
  if row.parked then dropFromIndex(PARKED, indexPlace(row)) end
  row.parked, row.parks = false, 0
end

local function reindex(row, status)
  dropFromIndex(row.status, indexPlace(row))
  addToIndex(status, indexPlace(row))
  row.status = status
end`,
  // A list without values leaves out longer errors. 4,096 characters have at most this many bytes.
  String.raw`local MAX_ERROR_BYTES = 12288`,
  // Reads a row and the first 'most' of these values, in the order in which 'record' takes them.
  String.raw`local SHOWN = { 'problem', 'error', 'input', 'output' }

local function loadShown(id, most)
  local texts, hash = {}, hashOf(id, 'workflow')
  want(hash, 'row', unpack(SHOWN, 1, most))
  local row = load(id)
  for index = 1, row and most or 0 do texts[index] = read(hash, SHOWN[index]) end
  return row, texts
end`,
  // A row as callers see it.
  String.raw`local function record(row, problem, failure, input, output)
  if not input and failure and #failure > MAX_ERROR_BYTES then failure = nil end
  local waits = row.suspended
  local waiting = waits and { operations = waits.labels, ['until'] = waits.till or cjson.null } or cjson.null
  return {
    workflowId = row.id, name = row.name, status = row.status, createdAt = row.createdAt, updatedAt = row.updatedAt,
    recoveryAttempts = row.attempts, waiting = waiting, parks = row.parks, problem = value(row.parked and problem),
    input = value(input), output = value(output), error = value(failure), failed = row.failed or cjson.null,
    endedAt = row.endedAt or cjson.null, unread = cjson.null, generation = row.generation, rewinds = row.rewinds,
  }
end`,
  // An open entry, a stream and an event as they are stored: see keys.ts.
  String.raw`local function parseOpen(text)
  local deadline, attempts, startedAt, label = string.match(text, '^(%d*):(%d+):(%d+):(.*)$')
  return tonumber(deadline), tonumber(attempts), label, tonumber(startedAt)
end`,
  // The field of a message or of a value of a stream.
  String.raw`local function placeField(place, name) return digits(place) .. ':' .. name end`,
  // The tail of a stream, whether it is closed, and when it was last written.
  String.raw`local function streamOf(id, key)
  local tail, closed, at = string.match(read(hashOf(id, 'workflow'), 't:' .. key) or '0:0', '^(%d+)(c?):(%d+)$')
  return tonumber(tail), closed == 'c', tonumber(at)
end

local function eventOf(id, key)
  local text = read(hashOf(id, 'workflow'), 'e:' .. key)
  local version, at, updatedAt, value = string.match(text or '', '^(%d+):(%d+):(%d+):(.*)$')
  if not version then return nil end
  return { version = tonumber(version), at = tonumber(at), updatedAt = tonumber(updatedAt), text = value }
end`,
].join("\n");

/** Inserts a workflow. */
export const insert = [
  // A new row. 'origin' is unique to this workflow, even among workflows with the same ID.
  String.raw`local function insert(id, name, status, origin, input)
  local row = {
    id = id, name = name, status = status, origin = origin, owner = '', epoch = 0, held = false,
    createdAt = now, updatedAt = now, attempts = 0, parks = 0, lastCommit = 0, entries = 0, open = {},
    bytes = #input + 5, streamBytes = 0, takenBytes = 0, generation = 0, rewinds = 0, received = 0,
  }
  rows[id] = row
  save(row)
  put(hashOf(id, 'workflow'), 'input', input)
  addToIndex(status, indexPlace(row))
  changed('status:' .. id)
  return row
end`,
].join("\n");

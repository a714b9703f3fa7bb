/** The row of a workflow: one hash. */
export const rows = String.raw`
-- The first workflow of a request is the one that it is about.
local own = request.workflows and request.workflows[1]

local COLUMNS = {
  'name', 'status', 'epoch', 'owner', 'held', 'lease', 'leaseMs', 'suspended', 'createdAt', 'endedAt', 'attempts',
  'lastCommit', 'released', 'entries', 'journalBytes', 'eventBytes', 'streamBytes', 'waits', 'byDue', 'expires',
  'parked', 'parks', 'origin', 'parent', 'kept', 'isParent',
}

local NUMBERS = setOf({
  'epoch', 'lease', 'leaseMs', 'createdAt', 'endedAt', 'attempts', 'lastCommit', 'entries', 'journalBytes',
  'eventBytes', 'streamBytes', 'parks',
})
local FLAGS = setOf({ 'held', 'released', 'byDue', 'expires', 'parked', 'kept', 'isParent' })

local function fromText(column, text)
  if NUMBERS[column] then
    return tonumber(text) or 0
  elseif FLAGS[column] then
    return text == '1'
  end
  return text
end

local function toText(column, stored)
  if NUMBERS[column] then
    return stored == 0 and '' or digits(stored)
  elseif FLAGS[column] then
    return stored and '1' or ''
  end
  return stored
end

-- A row whose columns have these texts. 'stored' is what Redis has.
local function newRow(workflow, textOf)
  local row = { key = keyOf(workflow, 'row'), id = workflow.id, workflow = workflow, stored = {} }
  for index, column in ipairs(COLUMNS) do
    row.stored[column] = textOf(index, column) or ''
    row[column] = fromText(column, row.stored[column])
  end
  row.member = workflow.id .. '\0' .. row.name
  workflow.isLoaded, workflow.loaded = true, row
  return row
end

-- The row, or nil if there is none. The row has the texts of 'more' columns.
local function load(workflow, more)
  if workflow.isLoaded then
    return workflow.loaded
  end
  workflow.isLoaded = true
  local columns = { unpack(COLUMNS) }
  append(columns, unpack(more or {}))
  local values = call('HMGET', keyOf(workflow, 'row'), unpack(columns))
  if not values[1] then
    return nil
  end
  local row = newRow(workflow, function(index)
    return values[index]
  end)
  row.texts = { unpack(values, #COLUMNS + 1, #columns) }
  return row
end

-- Writes the columns that have changed, and other fields.
local function save(row, ...)
  local fields = { ... }
  for _, column in ipairs(COLUMNS) do
    local text = toText(column, row[column])
    if text ~= row.stored[column] then
      append(fields, column, text)
      row.stored[column] = text
    end
  end
  if #fields > 0 then
    call('HSET', row.key, unpack(fields))
  end
end

local function isEnded(row)
  return row.status ~= 'ENQUEUED' and row.status ~= 'PENDING'
end

-- The place of a workflow in the index of its status: ordered by text, the newest first, then by ID.
local function indexPlace(row)
  return string.format('%014.0f', LATEST - row.createdAt) .. row.member
end

-- The place of a workflow in the index of its status and name.
local function namedPlace(place)
  local rest, name = string.match(place, '^([^%z]*)%z(.*)$')
  return name .. '\0' .. rest
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

local function decoded(text)
  return text ~= '' and cjson.decode(text) or nil
end
`;

/** A row as callers see it. */
export const records = String.raw`
local SHOWN = { 'updatedAt', 'problem', 'error', 'input', 'output' }

-- A row without values shows no longer error. 4,096 characters have at most this many bytes.
local ERROR_BYTES = 12288

local function record(row)
  local updatedAt, problem, failure, input, output = unpack(row.texts, 1, #SHOWN)
  local suspended = decoded(row.suspended)
  if not input and failure and #failure > ERROR_BYTES then
    failure = nil
  end
  return {
    id = row.id, name = row.name, status = row.status, createdAt = row.createdAt, updatedAt = tonumber(updatedAt),
    attempts = row.attempts, waiting = suspended and { labels = suspended.labels, till = suspended.till },
    input = input and value(input) or nil, output = output and value(output) or nil,
    error = failure and value(failure) or nil, problem = row.parked and value(problem) or nil, parks = row.parks,
  }
end
`;

/** Inserting a workflow. */
export const insert = String.raw`
-- 'origin' is unique to this workflow, even among workflows with the same ID. 'parent' is the family of its parent.
local function insert(workflow, status, fields)
  local lease = fields.leaseMs and after(fields.leaseMs)
  local row = newRow(workflow, function(_, column)
    return column == 'name' and fields.name or nil
  end)
  row.stored = {}
  row.status, row.epoch, row.owner, row.held = status, lease and 1 or 0, fields.owner, lease ~= nil
  row.lease, row.leaseMs, row.createdAt = lease or 0, fields.leaseMs or 0, now
  row.origin, row.parent = fields.origin, fields.parent or ''
  save(row, 'input', fields.input, 'updatedAt', digits(now))
  addToIndex(status, indexPlace(row))
  changed('outbox:' .. workflow.id)
  return row
end
`;

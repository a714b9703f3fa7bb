/** The row of a workflow: one hash. */
export const rows = String.raw`
local COLUMNS = {
  'name', 'status', 'epoch', 'owner', 'held', 'lease', 'suspended', 'createdAt', 'attempts', 'lastCommit', 'released', 'entries', 'positions',
  'waits', 'events', 'byDue', 'expires', 'purging',
}
local NUMBERS = { epoch = 0, lease = 0, createdAt = 0, attempts = 0, lastCommit = 0, entries = 0, positions = 0, events = 0 }
local FLAGS = { held = true, released = true, byDue = true, expires = true }

-- The row, or nil where there is none. One that is being purged is none; 'isPurging' then says why. 'more': the columns, and others behind them,
-- of which the row then has the texts.
local function load(workflow, more)
  if workflow.isLoaded then
    return workflow.loaded
  end
  workflow.isLoaded = true
  local key = KEYS[workflow.row]
  local values = call('HMGET', key, unpack(more or COLUMNS))
  workflow.isPurging = values[#COLUMNS] and true or nil
  if not values[1] or workflow.isPurging then
    return nil
  end
  local row = { key = key, id = workflow.id, member = workflow.id .. '\0' .. values[1] }
  for index, column in ipairs(COLUMNS) do
    local text = values[index]
    if NUMBERS[column] then
      row[column] = tonumber(text or '0')
    elseif FLAGS[column] then
      row[column] = text == '1'
    else
      row[column] = text or ''
    end
  end
  row.texts = more and { unpack(values, #COLUMNS + 1) }
  workflow.loaded = row
  return row
end

local function isEnded(row)
  return row.status ~= 'ENQUEUED' and row.status ~= 'PENDING'
end

-- Where a workflow is in the index of its status: by text, the newest first, then by ID.
local function indexPlace(row)
  return string.format('%014.0f', LATEST - row.createdAt) .. row.member
end

-- Where it is in the index of its status and name.
local function namedPlace(place)
  local rest, name = string.match(place, '^([^%z]*)%z(.*)$')
  return name .. '\0' .. rest
end

local function addToIndex(status, place)
  call('ZADD', KEYS[request.index[status]], '0', place)
  call('ZADD', KEYS[request.named[status]], '0', namedPlace(place))
end

local function dropFromIndex(status, place)
  call('ZREM', KEYS[request.index[status]], place)
  call('ZREM', KEYS[request.named[status]], namedPlace(place))
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
local SHOWN = { 'input', 'output', 'error', 'updatedAt' }
local ALL = { unpack(COLUMNS) }
for _, column in ipairs(SHOWN) do
  table.insert(ALL, column)
end

local function record(row)
  local texts = row.texts or call('HMGET', row.key, unpack(SHOWN))
  local suspended = decoded(row.suspended)
  return {
    id = row.id, name = row.name, status = row.status, createdAt = row.createdAt, updatedAt = tonumber(texts[4]), attempts = row.attempts,
    waiting = suspended and { labels = suspended.labels, till = suspended.till },
    input = value(texts[1]), output = texts[2] and value(texts[2]) or nil, error = texts[3] and value(texts[3]) or nil,
  }
end
`;

/** Inserting a workflow. */
export const insert = String.raw`
local function insert(workflow, status, name, input, owner, lease)
  local row = {
    key = KEYS[workflow.row], id = workflow.id, name = name, member = workflow.id .. '\0' .. name, status = status, epoch = lease and 1 or 0, owner = owner,
    held = lease and true or false, lease = lease or 0, suspended = '', createdAt = now, attempts = 0, lastCommit = 0, released = false, entries = 0, positions = 0, events = 0, waits = '',
  }
  call(
    'HSET', row.key, 'name', name, 'input', input, 'status', status, 'epoch', digits(row.epoch), 'owner', owner, 'held', lease and '1' or '',
    'lease', digits(row.lease), 'createdAt', digits(now), 'updatedAt', digits(now)
  )
  addToIndex(status, indexPlace(row))
  changed('outbox:' .. workflow.id)
  workflow.loaded = row
  workflow.isLoaded = true
  return row
end
`;

/** When workflows are due. The first three keys of a script that uses this are those of the schedule. */
export const schedule = String.raw`
-- Here, and not where every script begins: what only reads does without it, and each command is billed.
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function after(ms)
  return math.min(now + math.ceil(ms), LATEST)
end

local DUE, LEASED, SCHEDULE = KEYS[1], KEYS[2], KEYS[3]

local function idOf(member)
  return string.match(member, '^[^%z]*')
end

local function nameOf(member)
  return string.sub(member, #idOf(member) + 2)
end

local function schedulePlace(member, at)
  return nameOf(member) .. '\0' .. string.format('%014.0f', at) .. '\0' .. idOf(member)
end

-- Makes it due at an instant; without one, only when something arrives.
local function putOn(member, at)
  call('ZADD', DUE, at and digits(at) or '+inf', member)
  if at then
    call('ZADD', SCHEDULE, '0', schedulePlace(member, at))
  end
end

local function takeOff(member, score)
  if not score then
    return
  end
  call('ZREM', DUE, member)
  if score ~= 'inf' then
    call('ZREM', SCHEDULE, schedulePlace(member, tonumber(score)))
  end
end

local function isDueAt(score)
  return score and score ~= 'inf' and tonumber(score) <= now
end

local function makeDue(member)
  putOn(member, now)
  changed('due')
end

-- Makes due what is suspended. A workflow that a run holds is not in 'due', nor is one that has ended: they need no waking.
local function wake(member)
  local score = call('ZSCORE', DUE, member)
  if not score or isDueAt(score) then
    return false
  end
  takeOff(member, score)
  makeDue(member)
  return true
end

-- A lease that lapsed may have been moved to 'due' by a claim that looked for what is due: then it is there, unless it is known to be.
local function holdUntil(row, lease)
  row.held = true
  row.lease = lease
  if call('ZADD', LEASED, digits(lease), row.member) == 1 then
    takeOff(row.member, row.score or call('ZSCORE', DUE, row.member))
  end
end

local function letGo(row)
  if not row.held then
    return
  end
  row.held = false
  if call('ZREM', LEASED, row.member) == 0 then
    takeOff(row.member, call('ZSCORE', DUE, row.member))
  end
end
`;

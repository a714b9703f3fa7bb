/** The row of a workflow: one hash. */
export const rows = String.raw`
local COLUMNS = {
  'name', 'status', 'epoch', 'owner', 'held', 'lease', 'leaseMs', 'suspended', 'createdAt', 'endedAt', 'attempts', 'lastCommit', 'released',
  'entries', 'positions', 'waits', 'events', 'byDue', 'expires', 'parked', 'parks', 'origin', 'parent', 'kept', 'keeps', 'purging',
}
local NUMBERS = {
  epoch = 0, lease = 0, leaseMs = 0, createdAt = 0, endedAt = 0, attempts = 0, lastCommit = 0, entries = 0, positions = 0, events = 0, parks = 0,
}
local FLAGS = { held = true, released = true, byDue = true, expires = true, parked = true, kept = true, keeps = true }

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

-- Those that are parked are in an index of their own, besides that of their status.
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

-- The sets in which a row waits, each once.
local function setsOf(row)
  local sets, isListed = {}, {}
  for _, wait in ipairs(decoded(row.waits) or {}) do
    if not isListed[wait[1]] then
      isListed[wait[1]] = true
      table.insert(sets, wait[1])
    end
  end
  return sets
end
`;

/** A row as callers see it. */
export const records = String.raw`
local SHOWN = { 'updatedAt', 'problem', 'error', 'input', 'output' }

local function columns(shown)
  local all = { unpack(COLUMNS) }
  for _, column in ipairs(shown) do
    table.insert(all, column)
  end
  return all
end

-- Of a row without its values, the longest error that is shown: 4,096 characters have no more bytes.
local ERROR_BYTES = 12288

local function record(row)
  local updatedAt, problem, failure, input, output = unpack(row.texts)
  local suspended = decoded(row.suspended)
  if not input and failure and #failure > ERROR_BYTES then
    failure = nil
  end
  return {
    id = row.id, name = row.name, status = row.status, createdAt = row.createdAt, updatedAt = tonumber(updatedAt), attempts = row.attempts,
    waiting = suspended and { labels = suspended.labels, till = suspended.till },
    input = input and value(input) or nil, output = output and value(output) or nil, error = failure and value(failure) or nil,
    problem = row.parked and value(problem) or nil, parks = row.parks,
  }
end
`;

/** Inserting a workflow. */
export const insert = String.raw`
-- 'origin' is a text that no other workflow ever has, also none with the same ID; 'parent' is who has started it.
local function insert(workflow, status, fields)
  local lease = fields.leaseMs and after(fields.leaseMs)
  local row = {
    key = KEYS[workflow.row], id = workflow.id, name = fields.name, member = workflow.id .. '\0' .. fields.name, status = status,
    epoch = lease and 1 or 0, owner = fields.owner, held = lease and true or false, lease = lease or 0, leaseMs = fields.leaseMs or 0, suspended = '',
    createdAt = now, endedAt = 0, attempts = 0, lastCommit = 0, released = false, entries = 0, positions = 0, waits = '', events = 0, byDue = false,
    expires = false, parked = false, parks = 0, origin = fields.origin, parent = fields.parent or '', kept = false, keeps = false,
  }
  call(
    'HSET', row.key, 'name', row.name, 'input', fields.input, 'status', status, 'epoch', digits(row.epoch), 'owner', row.owner, 'held', lease and '1' or '',
    'lease', digits(row.lease), 'leaseMs', digits(row.leaseMs), 'createdAt', digits(now), 'updatedAt', digits(now), 'origin', row.origin,
    'parent', row.parent
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

-- The ID of the workflow that has started it.
local function parentOf(row)
  return row.parent ~= '' and idOf(row.parent) or nil
end

local function nameOf(member)
  return string.sub(member, #idOf(member) + 2)
end

-- A score in 'due' is an instant, or 'inf' for what only something that arrives makes due. What is due at once is so whatever the clock will say, which
-- may go back: its score is below 0, and the instant is so much above LATEST's negative.
local function instantOf(score)
  local at = tonumber(score)
  return at < 0 and at + LATEST or at
end

-- Those that are due at once come before those of the same name that are due by an instant.
local function schedulePlace(member, score)
  local kind = score < 0 and '!' or '0'
  return nameOf(member) .. '\0' .. kind .. string.format('%014.0f', instantOf(score)) .. '\0' .. idOf(member)
end

-- Without a score, it is due only when something arrives.
local function putOn(member, score)
  call('ZADD', DUE, score and digits(score) or '+inf', member)
  if score then
    call('ZADD', SCHEDULE, '0', schedulePlace(member, score))
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

-- 'since': when it became due; now, without it.
local function makeDue(member, since)
  putOn(member, (since or now) - LATEST)
  changed('due')
end

-- Who looks for what is due by itself does so every ten seconds.
local SOON_MS = 10000

local function putOff(member, at)
  putOn(member, at)
  if at and at < now + SOON_MS then
    changed('due')
  end
end

-- Makes due at once what waits for an instant, also where that has passed: the clock may go back.
local function hasten(member, score)
  if not score or tonumber(score) < 0 then
    return false
  end
  takeOff(member, score)
  makeDue(member, math.min(tonumber(score), now))
  return true
end

-- Makes due what is suspended. A workflow that a run holds is not in 'due', or is due at once, nor is one that has ended: they need no waking.
local function wake(member)
  return hasten(member, call('ZSCORE', DUE, member))
end

-- A lease that lapsed may have been moved to 'due' by a claim that looked for what is due: then it is there, unless it is known to be.
local function hold(row, leaseMs)
  row.held, row.lease, row.leaseMs = true, after(leaseMs), math.ceil(leaseMs)
  local lease = row.lease
  if call('ZADD', LEASED, digits(lease), row.member) == 1 then
    takeOff(row.member, row.score or call('ZSCORE', DUE, row.member))
  end
end

-- Whether a lease ends later than if it began now: then the clock has gone back since.
local function isHeldTooLong(row)
  return row.held and row.lease > after(row.leaseMs)
end

local function holdAnew(row)
  hold(row, row.leaseMs)
  call('HSET', row.key, 'lease', digits(row.lease))
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

/**
 * Looking for what is due, without a look at any workflow: which they are is not known before, so their keys could not be declared.
 */
export const peekMain = String.raw`
local CHUNK = 100
local UNKNOWN_NAMES = 10

-- The first claim may have taken them, and its answer may have been lost.
local taken = request.isAnew and {} or call('SMEMBERS', KEYS[4])
if #taken > 0 then
  return reply({ taken = taken })
end

-- What has passed, the oldest first, and the instant of what comes next, in one call: every command is billed, also where nothing is due.
local function passed(key, most)
  local found = call('ZRANGEBYSCORE', key, '-inf', '(+inf', 'WITHSCORES', 'LIMIT', '0', digits(most))
  local list = {}
  for index = 1, #found, 2 do
    local at = tonumber(found[index + 1])
    if at > now then
      return list, at
    end
    table.insert(list, { found[index], at })
  end
  if #list < most then
    return list
  end
  return list, tonumber(call('ZRANGEBYSCORE', key, '(' .. digits(now), '(+inf', 'WITHSCORES', 'LIMIT', '0', '1')[2])
end

-- A lease that has lapsed goes where everything is that is due. Its run may still come back, until somebody takes it over.
local function moveLapsed()
  for _ = 1, 10 do
    local lapsed, nextAt = passed(LEASED, CHUNK)
    for _, one in ipairs(lapsed) do
      call('ZREM', LEASED, one[1])
      putOn(one[1], one[2])
    end
    if #lapsed < CHUNK then
      return nextAt
    end
  end
end

local isKnown = {}
for _, name in ipairs(request.names) do
  isKnown[name] = true
end

local due = {}
local unknown, isUnknown = {}, {}

local function see(member, at)
  local name = nameOf(member)
  if isKnown[name] then
    table.insert(due, { idOf(member), at })
  elseif not isUnknown[name] and #unknown < UNKNOWN_NAMES then
    isUnknown[name] = true
    table.insert(unknown, name)
  end
end

-- Where those of other names are in the way: the oldest of each name, and of these the oldest.
local function lookByName()
  due = {}
  for _, name in ipairs(request.names) do
    local last = '(' .. name .. '\0' .. string.format('%014.0f', now + 1)
    for _, place in ipairs(call('ZRANGEBYLEX', SCHEDULE, '[' .. name .. '\0', last, 'LIMIT', '0', digits(request.limit))) do
      local rest = string.sub(place, #name + 2)
      table.insert(due, { string.sub(rest, 16), tonumber(string.sub(rest, 1, 14)) })
    end
  end
  table.sort(due, function(a, b)
    return a[2] < b[2]
  end)
end

local nextLapse = moveLapsed()
local size = math.max(CHUNK, request.limit + 1)
local oldest, nextDue = passed(DUE, size)
for _, one in ipairs(oldest) do
  see(one[1], one[2])
end
if #due < request.limit and #oldest == size then
  lookByName()
end
local nextAt = math.min(nextDue or LATEST, nextLapse or LATEST)
local ids = {}
for index = 1, math.min(#due, request.limit) do
  ids[index] = due[index][1]
end
return reply({ due = ids, unknown = unknown, nextDueMs = (nextDue or nextLapse) and nextAt - now })
`;

/** Taking workflows over, by ID. */
export const claimMain = String.raw`
-- All of an answer's journals.
local JOURNALS_BYTES = 8388608
local PAGE_ENTRIES = 1000
local PAGE_BYTES = 1048576

local isKnown = {}
for _, name in ipairs(request.names) do
  isKnown[name] = true
end

local function dueAt(row)
  row.score = not row.held and call('ZSCORE', DUE, row.member) or nil
  local score = row.held and digits(row.lease) or row.score
  return isDueAt(score) and tonumber(score) or nil
end

local function lease(row)
  row.attempts = row.attempts + (row.held and 1 or 0)
  row.epoch, row.owner, row.suspended = row.epoch + 1, request.owner, ''
  row.byDue = request.claim ~= nil
  holdUntil(row, after(request.leaseMs))
  if row.status ~= 'PENDING' then
    reindex(row, 'PENDING')
    changed('outbox:' .. row.id)
  end
  call(
    'HSET', row.key, 'status', 'PENDING', 'epoch', digits(row.epoch), 'owner', row.owner, 'held', '1', 'lease', digits(row.lease), 'suspended', '',
    'attempts', digits(row.attempts), 'lastCommit', '0', 'released', '', 'updatedAt', digits(now), 'byDue', row.byDue and '1' or ''
  )
end

local function openEntries(workflow)
  local open = {}
  eachField(KEYS[workflow.open], function(position, text)
    table.insert(open, { tonumber(position), string.match(text, '^%d*:(.*)$') })
  end)
  table.sort(open, function(a, b)
    return a[1] < b[1]
  end)
  return open
end

-- Of one ID that comes twice, the second is nobody.
local found, isFound = {}, {}
for _, workflow in ipairs(request.workflows) do
  local row = not isFound[workflow.id] and load(workflow)
  isFound[workflow.id] = true
  if row then
    table.insert(found, { workflow = workflow, row = row })
  end
end

local taken = {}
for _, one in ipairs(found) do
  if one.row.held and one.row.owner == request.owner and one.row.lease > now then
    table.insert(taken, one)
  end
end

local function takeDue()
  local due = {}
  for index, one in ipairs(found) do
    one.index, one.at = index, isKnown[one.row.name] and dueAt(one.row)
    if one.at then
      table.insert(due, one)
    end
  end
  table.sort(due, function(a, b)
    return a.at < b.at or (a.at == b.at and a.index < b.index)
  end)
  for index = 1, math.min(#due, request.limit) do
    lease(due[index].row)
    table.insert(taken, due[index])
    if request.claim then
      call('SADD', KEYS[request.claim], due[index].row.id)
    end
  end
end

if #taken == 0 and not request.isRepeat then
  takeDue()
  if request.claim and #taken > 0 then
    call('PEXPIRE', KEYS[request.claim], digits(math.ceil(request.leaseMs)))
  end
end
publish()

local claimed = {}
local budget = math.min(PAGE_BYTES, JOURNALS_BYTES / math.max(#taken, 1))
for index, one in ipairs(taken) do
  claimed[index] = {
    workflow = record(one.row), epoch = one.row.epoch, journal = journalPage(one.workflow, one.row, 0, PAGE_ENTRIES, budget),
    open = openEntries(one.workflow), extent = extentOf(one.workflow, one.row),
  }
end
return reply({ claimed = claimed, now = now })
`;

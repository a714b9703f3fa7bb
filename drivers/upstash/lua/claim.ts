/**
 * Looks for due workflows. The script touches no key of a workflow: only the store knows which
 * workflows are due, so a request cannot declare their keys.
 */
export const peekMain = String.raw`
local MAX_READ = 100
local MAX_UNKNOWN_NAMES = 10

-- The first call may have taken these, and its answer was lost. An empty ID says that it left some.
local function repeated(taken)
  local ids, hasLeft = {}, false
  for _, id in ipairs(taken) do
    hasLeft = hasLeft or id == ''
    append(ids, id ~= '' and id or nil)
  end
  return { ids = ids, suspects = {}, unknown = {}, isRepeat = true, hasLeft = hasLeft, nextDueMs = cjson.null }
end

local taken = request.isFresh and {} or call('SMEMBERS', keyOf(request.owner, 'claim'))
if #taken > 0 then
  return reply(repeated(taken))
end

-- Reads the members whose instant has passed, the oldest first, and the next instant, in one
-- command. Calls 'ahead' for members that were read and whose instant has not passed.
local function passed(key, first, most, ahead)
  local found = call('ZRANGEBYSCORE', key, first, '(+inf', 'WITHSCORES', 'LIMIT', '0', digits(most))
  local list, nextAt = {}, nil
  for index = 1, #found, 2 do
    local score = tonumber(found[index + 1])
    if score > now then
      nextAt = nextAt or score
      ahead(found[index], score)
    else
      append(list, { found[index], instantOf(score), score })
    end
  end
  return list, nextAt, #found == 2 * most
end

local function ignore() end

local function nextAfter(key)
  return tonumber(call('ZRANGEBYSCORE', key, '(' .. digits(now), '(+inf', 'WITHSCORES', 'LIMIT', '0', '1')[2])
end

local isExcepted, isKnown = setOf(request.except), setOf(request.names)

-- Leases that end later than one that began now: the last ones that were read. If such a lease is
-- no longer than others, the clock has gone back.
local MAX_SUSPECTS = 10
local suspects, isSuspect = {}, {}
local longest = after(request.leaseMs)

local function suspect(member, at)
  local id = idOf(member)
  if at > longest and not isSuspect[id] and isKnown[nameOf(member)] and not isExcepted[id] then
    isSuspect[id] = true
    append(suspects, id)
    if #suspects > MAX_SUSPECTS then
      table.remove(suspects, 1)
    end
  end
end

-- Looks at the leases that end last. This is for the case that there are more leases than were read.
local function lookAhead()
  local first = '(' .. digits(longest)
  local found = call('ZREVRANGEBYSCORE', LEASED, '+inf', first, 'WITHSCORES', 'LIMIT', '0', digits(MAX_SUSPECTS))
  for index = 1, #found, 2 do
    suspect(found[index], tonumber(found[index + 1]))
  end
end

-- Moves workflows whose lease lapsed to those that are due at once, so that they stay due if the
-- clock goes back. Their runs can still commit until another run takes over.
local function moveLapsed()
  for _ = 1, 10 do
    local lapsed, nextAt, isFull = passed(LEASED, '-inf', MAX_READ, suspect)
    for _, one in ipairs(lapsed) do
      call('ZREM', LEASED, one[1])
      putOn(one[1], one[3] - LATEST)
    end
    if #lapsed < MAX_READ then
      if isFull then
        lookAhead()
      end
      return nextAt
    end
  end
  return nextAfter(LEASED)
end

local due = {}
local unknown, isUnknown = {}, {}

local function see(member, at)
  local name = nameOf(member)
  if not isKnown[name] then
    if not isUnknown[name] and #unknown < MAX_UNKNOWN_NAMES then
      isUnknown[name] = true
      append(unknown, name)
    end
  elseif not isExcepted[idOf(member)] then
    append(due, { idOf(member), at, #due })
  end
end

-- Workflows that are due at once sort first, although others may have become due earlier. If they
-- fill a read, a second read gets the others.
local function lookByAge(size)
  local list, nextAt = passed(DUE, '-inf', size, ignore)
  local isCut = #list == size
  if isCut and list[size][3] < 0 then
    local others, otherAt = passed(DUE, '0', size, ignore)
    for _, one in ipairs(others) do
      append(list, one)
    end
    nextAt = #others < size and otherAt or nextAfter(DUE)
  elseif isCut then
    nextAt = nextAfter(DUE)
  end
  for _, one in ipairs(list) do
    see(one[1], one[2])
  end
  return isCut, nextAt
end

-- Reads the oldest workflows of each name. This is for the case that workflows of other names fill
-- the read by age.
local function lookByName(wanted)
  due = {}
  local isSeen = {}
  local function look(name, first)
    local last = '(' .. name .. '\0' .. '0' .. string.format('%014.0f', now + 1)
    local found = call('ZRANGEBYLEX', SCHEDULE, '[' .. name .. '\0' .. first, last, 'LIMIT', '0', digits(wanted))
    for _, place in ipairs(found) do
      local at, id = string.match(place, '^[^%z]*%z.(%d+)%z(.*)$')
      if not isSeen[id] and not isExcepted[id] then
        isSeen[id] = true
        append(due, { id, tonumber(at), #due })
      end
    end
    return #found
  end
  for _, name in ipairs(request.names) do
    if look(name, '') == wanted then
      look(name, '0')
    end
  end
end

local nextLapse = moveLapsed()
local wanted = request.limit + #request.except
local isCut, nextDue = lookByAge(math.max(MAX_READ, wanted + 1))
if isCut and #due < request.limit then
  lookByName(wanted)
end
table.sort(due, function(a, b)
  return a[2] < b[2] or (a[2] == b[2] and a[3] < b[3])
end)
local nextAt = math.min(nextDue or LATEST, nextLapse or LATEST)
local ids = {}
for index = 1, math.min(#due, request.limit) do
  ids[index] = due[index][1]
end
return reply({
  ids = ids, suspects = suspects, unknown = unknown, isRepeat = false, hasLeft = false,
  nextDueMs = (nextDue or nextLapse) and nextAt - now or cjson.null,
})
`;

/** Claims workflows by ID. */
export const claimMain = String.raw`
-- About the most bytes of an answer: for workflows without their journals, and for journals.
local MAX_WORKFLOWS_BYTES = 4194304
local MAX_JOURNALS_BYTES = 4194304
local MAX_PAGE_ENTRIES = 1000

local isKnown = setOf(request.names)

-- The workflows of the request that exist.
local found = {}
for _, id in ipairs(request.workflowIds) do
  local row = load(id)
  if row then
    append(found, { row = row, index = #found })
  end
end

-- The instant at which a workflow became due; nil if it is not due.
local function dueSince(one)
  if not isKnown[one.row.name] then
    return nil
  elseif one.row.held and one.row.lease <= now then
    return one.row.lease
  end
  one.score = dueScore(one.row)
  return isDueAt(one.score) and instantOf(one.score) or nil
end

local function openEntries(row)
  local open = {}
  local fields = call('HGETALL', keyOf(row.id, 'open'))
  for index = 1, #fields, 2 do
    local deadline, attempts, label = parseOpen(fields[index + 1])
    local remainingMs = deadline and math.max(0, deadline - now) or cjson.null
    append(open, {
      position = tonumber(fields[index]), label = label, attempts = attempts, remainingMs = remainingMs,
    })
  end
  table.sort(open, function(a, b)
    return a.position < b.position
  end)
  return open
end

local taken, bytes, isCut = {}, 0, false

-- Whether the answer has room for one more workflow. It always has room for one.
local function fits(one)
  one.texts = call('HMGET', keyOf(one.row.id, 'workflow'), 'problem', 'error', 'input', 'output')
  for index = 1, 4 do
    bytes = bytes + (one.texts[index] and wireSize(one.texts[index]) or 0)
  end
  one.open = openEntries(one.row)
  bytes = bytes + wireSize(cjson.encode(one.open))
  return #taken == 0 or bytes <= MAX_WORKFLOWS_BYTES
end

local function lease(one)
  local row = one.row
  row.attempts = row.attempts + (row.held and 1 or 0)
  row.epoch, row.owner, row.suspended, row.lastCommit, row.released = row.epoch + 1, request.owner, nil, 0, false
  row.byDue, row.updatedAt = request.byDue, now
  hold(row, request.leaseMs, one.score)
  if row.status ~= 'PENDING' then
    reindex(row, 'PENDING')
    changed('outbox:' .. row.id)
  end
  save(row)
end

-- The earliest instant at which a workflow becomes due that is not due yet and that no run holds.
local nextAt

local function takeDue()
  local due = {}
  for _, one in ipairs(found) do
    one.at = dueSince(one)
    if one.at then
      append(due, one)
    elseif not shortenLease(one.row) and not one.row.held and one.score and one.score ~= 'inf' then
      nextAt = math.min(nextAt or LATEST, instantOf(one.score))
    end
  end
  table.sort(due, function(a, b)
    return a.at < b.at or (a.at == b.at and a.index < b.index)
  end)
  for index = 1, math.min(#due, request.limit) do
    isCut = not fits(due[index])
    if isCut then
      return
    end
    lease(due[index])
    append(taken, due[index])
    if request.byDue then
      call('SADD', keyOf(request.owner, 'claim'), due[index].row.id)
    end
  end
end

-- Whether the first call left due workflows.
local function hasLeft()
  for _, one in ipairs(found) do
    if dueSince(one) then
      return true
    end
  end
  return false
end

-- If this is a repeat, the first call took these.
for _, one in ipairs(found) do
  if one.row.held and one.row.owner == request.owner and one.row.lease > now and fits(one) then
    append(taken, one)
  end
end
if #taken > 0 and not request.isRepeat then
  isCut = #taken < request.limit and hasLeft()
elseif not request.isRepeat then
  takeDue()
  if request.byDue and #taken > 0 then
    call('PEXPIRE', keyOf(request.owner, 'claim'), digits(math.ceil(request.leaseMs)))
  end
end
if request.byDue and isCut then
  call('SADD', keyOf(request.owner, 'claim'), '')
end
publish()

local claimed = {}
local budget = math.min(MAX_PAGE_BYTES, MAX_JOURNALS_BYTES / math.max(#taken, 1))
local least = #taken == 1 and 1 or 0
for index, one in ipairs(taken) do
  local workflow = record(one.row, unpack(one.texts, 1, 4))
  local journal = journalPage(one.row, 0, MAX_PAGE_ENTRIES, budget, least)
  claimed[index] = { workflow = workflow, epoch = one.row.epoch, now = now, journal = journal, open = one.open }
end
return reply({ claimed = claimed, more = isCut, nextDueMs = nextAt and nextAt - now or cjson.null })
`;

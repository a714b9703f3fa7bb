/**
 * The first half of a claim by due time: looks for due workflows. The script touches no key of a
 * workflow: only the store knows which workflows are due, so a request cannot declare their keys.
 */
export const peekMain = [
  String.raw`local MAX_READ, MAX_SUSPECTS, MAX_UNKNOWN_NAMES = 100, 10, 10`,
  // The first call may have taken these, and its answer was lost. An empty ID says that it left some.
  String.raw`local taken = request.isFresh and {} or call('SMEMBERS', keyOf(request.owner, 'claim'))
if #taken > 0 then return reply({ taken = taken, now = now }) end

local isExcepted, isKnown = setOf(request.except), setOf(request.names)`,
  // Workflows that have become due, the oldest first; leases; the next instant of another workflow.
  String.raw`local passed, leases, nextAt = {}, {}, nil
local function comesNext(instant) nextAt = math.min(instant, nextAt or LATEST) end`,
  // Reads members of 'due' and their scores, in one command.
  String.raw`local function look(command, first, last, most, offset)
  local limit = { 'WITHSCORES', 'LIMIT', digits(offset or 0), digits(most) }
  local found = call(command, DUE.key, first, last, unpack(limit))
  for index = 1, #found, 2 do
    local one = { member = found[index], score = tonumber(found[index + 1]) }
    if one.score <= now then
      append(passed, one)
    elseif one.score <= LATEST then
      comesNext(one.score)
    else
      append(leases, one)
    end
  end
  return #found / 2
end

local function held(instant) return digits(HELD + instant) end`,
  // Workflows that are due at once sort first, although others may have become due earlier. If they
  // fill a read, a second read gets the others, and a third one the leases. Returns whether they did.
  String.raw`local function lookByAge(size)
  if look('ZRANGEBYSCORE', '-inf', '(inf', size) < size then return false end
  leases = {}
  if #passed == size and passed[size].score < 0 then look('ZRANGEBYSCORE', '0', digits(LATEST), size) end
  if not nextAt then look('ZRANGEBYSCORE', '(' .. digits(now), digits(LATEST), 1) end
  for offset = 0, 9 * MAX_READ, MAX_READ do
    local count = look('ZRANGEBYSCORE', held(0), '(inf', MAX_READ, offset)
    if count < MAX_READ or leases[#leases].score > HELD + now then break end
  end
  return true
end

local suspects, longest = {}, after(request.leaseMs)`,
  // Finds leases that end later than a lease of this claim would. Either such a lease is longer, or the
  // clock has gone back. The last leases are read here if the read by age did not get all.
  String.raw`local function findSuspects(isCut)
  if isCut and #leases >= MAX_READ then look('ZREVRANGEBYSCORE', '(inf', '(' .. held(longest), MAX_SUSPECTS) end
  for _, one in ipairs(leases) do
    local id = idOf(one.member)
    local isSuspect = one.score > HELD + longest and isKnown[nameOf(one.member)] and not isExcepted[id]
    if isSuspect and appendNew(suspects, id) and #suspects > MAX_SUSPECTS then table.remove(suspects, 1) end
  end
end`,
  // Moves workflows whose lease lapsed to those that are due at once, so that they stay due if the
  // clock goes back. Their runs can still commit until another run takes over.
  String.raw`local function moveLapsed(isCut)
  for _, one in ipairs(leases) do
    local lapse = one.score - HELD
    if lapse <= now then
      one.score = lapse - LATEST
      setDue(one.member, one.score)
      -- If there are many, 'unknown' has the names of the oldest.
      if not isCut or isKnown[nameOf(one.member)] then append(passed, one) end
    else
      comesNext(lapse)
    end
  end
  writeAll()
end

local due, dueIds, unknown = {}, {}, {}
local function addDue(id, at)
  if not isExcepted[id] and appendNew(dueIds, id) then append(due, { id = id, at = at, order = #due }) end
end

local function memberAt(place) return string.match(place, '^[^%z]*%z[^%z]*%z(.*)$') .. '\0' .. idOf(place) end`,
  // Reads the oldest workflows of each name, because workflows of other names may fill the read by age.
  // Removes places that are no longer those of a workflow. A commit that does not know that a claim has
  // moved its lease leaves one behind, if the clock has gone back.
  String.raw`local function lookByName(wanted)
  due, dueIds = {}, {}
  local function lookFrom(name, first)
    local last = '(' .. name .. '\0' .. '0' .. padded(now + 1)
    local found = call('ZRANGEBYLEX', SCHEDULE.key, '[' .. name .. '\0' .. first, last, 'LIMIT', '0', digits(wanted))
    for _, place in ipairs(found) do want(DUE, memberAt(place)) end
    for _, place in ipairs(found) do
      local score = dueScore(memberAt(place))
      local isThere = score and schedulePlace(memberAt(place), score) == place
      if isThere then addDue(idOf(memberAt(place)), instantOf(score)) else put(SCHEDULE, place, false) end
    end
    return #found == wanted
  end
  for _, name in ipairs(request.names) do
    if lookFrom(name, '') then lookFrom(name, '0') end
  end
  writeCollection(SCHEDULE)
end

local wanted = request.limit + #request.except
local isCut = lookByAge(math.max(MAX_READ, wanted + 1))
findSuspects(isCut)
moveLapsed(isCut)
for _, one in ipairs(passed) do
  local name = nameOf(one.member)
  if isKnown[name] then
    addDue(idOf(one.member), instantOf(one.score))
  elseif #unknown < MAX_UNKNOWN_NAMES then
    appendNew(unknown, name)
  end
end
if isCut and #due < request.limit then lookByName(wanted) end
sortByAge(due)
local ids = {}
for index = 1, math.min(#due, request.limit) do ids[index] = due[index].id end
local nextDueMs = nextAt and nextAt - now or cjson.null
return reply({ ids = ids, suspects = suspects, unknown = unknown, now = now, nextDueMs = nextDueMs })`,
].join("\n");

/** Claims workflows by ID. Also the second half of a claim by due time. */
export const claimMain = [
  // About the most bytes of workflows in an answer, and as many again of journals.
  String.raw`local MAX_HALF_BYTES, MAX_PAGE_ENTRIES = 4194304, 1000
local isKnown = setOf(request.names)`,
  // The workflows of the request that exist, with the values that their runs need.
  String.raw`local found = {}
for order, id in ipairs(request.workflowIds) do
  local row, texts = loadShown(id, #SHOWN)
  append(found, row and { row = row, texts = texts, order = order } or nil)
  if row then want(DUE, memberOf(row)) end
end`,
  // The instant at which a workflow became due; nil if it is not due.
  String.raw`local function dueSince(one)
  if not isKnown[one.row.name] then return nil end
  one.score = dueScore(memberOf(one.row))
  if one.row.held then return one.row.lease <= now and one.row.lease or nil end
  return isDueAt(one.score) and instantOf(one.score) or nil
end

local function openEntries(row)
  local open, hash = {}, hashOf(row.id, 'workflow')
  for _, position in ipairs(row.open) do want(hash, 'p:' .. digits(position)) end
  for _, position in ipairs(row.open) do
    local deadline, attempts, label = parseOpen(read(hash, 'p:' .. digits(position)))
    append(open, { position = position, label = label, attempts = attempts, remainingMs = msUntil(deadline) })
  end
  table.sort(open, function(a, b) return a.position < b.position end)
  return open
end

local taken, bytes, isCut, byDue = {}, 0, false, {}`,
  // Takes a workflow if the answer has room for one more. It always has room for one.
  String.raw`local function take(one)
  one.open = openEntries(one.row)
  bytes = bytes + wireSize(cjson.encode(one.open))
  for index = 1, #SHOWN do bytes = bytes + wireSize(one.texts[index] or '') end
  local fits = #taken == 0 or bytes <= MAX_HALF_BYTES
  append(taken, fits and one or nil)
  return fits
end

local function lease(one)
  local row = one.row
  row.attempts = row.attempts + (row.held and 1 or 0)
  row.epoch, row.owner, row.suspended, row.lastCommit, row.released = row.epoch + 1, request.owner, nil, 0, false
  row.byDue, row.updatedAt = request.byDue, now
  hold(row, request.leaseMs, one.score)
  if row.status ~= 'PENDING' then
    reindex(row, 'PENDING')
    changed('status:' .. row.id)
  end
  save(row)
  append(byDue, request.byDue and row.id or nil)
end`,
  // The next instant at which a workflow of the request becomes due that no run holds.
  String.raw`local nextAt

local function takeDue()
  local due = {}
  for _, one in ipairs(found) do
    one.at = dueSince(one)
    if one.at then
      append(due, one)
    elseif one.row.held then
      correctLease(one.row, one.score)
    elseif isScheduled(one.score) then
      nextAt = math.min(nextAt or LATEST, one.score)
    end
  end
  sortByAge(due)
  for index = 1, math.min(#due, request.limit) do
    isCut = not take(due[index])
    if isCut then return end
    lease(due[index])
  end
end`,
  // If this is a repeat, the first call took these.
  String.raw`for _, one in ipairs(found) do
  if one.row.held and one.row.owner == request.owner and one.row.lease > now then take(one) end
end
if #taken > 0 and not request.isRepeat then
  -- Whether the first call left due workflows.
  for _, one in ipairs(found) do isCut = isCut or (#taken < request.limit and dueSince(one) ~= nil) end
elseif not request.isRepeat then
  takeDue()
end
append(byDue, request.byDue and isCut and '' or nil)
callWith('SADD', keyOf(request.owner, 'claim'), byDue)
if #byDue > 0 then call('PEXPIRE', keyOf(request.owner, 'claim'), digits(math.ceil(request.leaseMs))) end
writeAll()

local claimed = {}
local budget = math.min(MAX_PAGE_BYTES, MAX_HALF_BYTES / math.max(#taken, 1))
for index, one in ipairs(taken) do
  local workflow = record(one.row, unpack(one.texts))
  local journal = journalPage(one.row, 0, MAX_PAGE_ENTRIES, budget, #taken == 1 and 1 or 0)
  claimed[index] = { workflow = workflow, epoch = one.row.epoch, now = now, journal = journal, open = one.open }
end
return reply({ claimed = claimed, more = isCut, now = now, nextDueMs = nextAt and nextAt - now or cjson.null })`,
].join("\n");

/**
 * The one write of a run: look at the fence, look whether every key is declared, apply the operations in order, make the transition. A script runs
 * alone, so what it looked at stays as it was.
 */
export const commit = String.raw`
local operations = request.operations
local transition = request.transition

local function fence(row)
  if not row or row.epoch ~= request.epoch or row.owner ~= request.owner then
    return 'lost'
  end
  own.isRepeated = request.number <= row.lastCommit
  own.isReleased = own.isRepeated and row.released and request.number == row.lastCommit
  if own.isReleased then
    return nil
  elseif row.status == 'CANCELLED' then
    return 'cancelled'
  end
  -- A number that skips one: commits of this run are missing from the store.
  return (not row.held or request.number > row.lastCommit + 1) and 'lost' or nil
end

local function openQueues()
  for _, workflow in ipairs(request.workflows) do
    for _, queue in ipairs(workflow.queues or {}) do
      queue.sends, queue.receives = 0, 0
    end
    if workflow.queues then
      load(workflow)
      openInbox(workflow)
    end
  end
end

-- Counts what an operation that was not made before may need; answers with 1 if that is an entry.
local function count(op)
  if op.type == 'send' then
    local queue = request.workflows[op.to].queues[op.queue]
    queue.sends = queue.sends + 1
  elseif op.type == 'receive' then
    for _, index in ipairs(op.queues) do
      own.queues[index].receives = own.queues[index].receives + 1
    end
  elseif op.type == 'writeStream' then
    local stream = request.streams[op.stream]
    stream.writes = stream.writes + 1
  elseif op.type == 'start' then
    load(request.workflows[op.workflow])
  end
  return op.position and 1 or 0
end

-- Looks for every key that the operations may need.
local function plan(row)
  local added, positions = 0, row.positions
  for _, op in ipairs(operations) do
    local entry = entries[op.position or -1]
    if entry and entry.seq then
      local number = segmentOf(entry.seq - 1)
      segment(own.journal, number)
      own.oldest = math.min(own.oldest or number, number)
    elseif not own.isRepeated then
      added = added + count(op)
      positions = math.max(positions, (op.position or -1) + 1)
    end
  end
  if added > 0 then
    for number = segmentOf(row.entries), segmentOf(row.entries + added - 1) do
      segment(own.journal, number)
    end
  end
  for _, stream in ipairs(request.streams) do
    planStream(stream)
  end
  for _, workflow in ipairs(request.workflows) do
    for _, queue in ipairs(workflow.queues or {}) do
      planQueue(queue)
    end
  end
  if not own.isRepeated then
    planWaits(row)
  end
  return row.entries + added, positions
end

-- Of those that expire with this commit, every key has to be declared, those that it makes among them.
local function planEnd(row, entriesAfter, positionsAfter)
  if own.isRepeated or not (transition and transition.to == 'end' and request.retention) then
    return
  end
  local extent = extentOf(own, row)
  extent.entries, extent.positions = entriesAfter, positionsAfter
  for _, stream in ipairs(request.streams) do
    table.insert(extent.streams, { stream.key, stream.tail + stream.writes })
  end
  for _, queue in ipairs(own.queues or {}) do
    if queue.sends > 0 then
      table.insert(extent.queues, { queue.topic, queue.head, queue.into })
    end
  end
  missing = missing or not isCovered(extent, request.covers) or not isParentDeclared(row)
  return extent
end

local function suspend(row)
  local suspended = { labels = {}, topics = {} }
  local places, waits = {}, {}
  for _, op in ipairs(operations) do
    local entry = entries[op.position]
    waits[#waits + 1] = { op.position, entry.label }
    if entry.deadline and (not suspended.till or entry.deadline < suspended.till) then
      suspended.till = entry.deadline
    end
    for _, index in ipairs(op.queues or {}) do
      table.insert(suspended.topics, own.queues[index].topic)
    end
    if op.waiters then
      table.insert(places, { KEYS[op.waiters], op.what })
    end
  end
  table.sort(waits, function(a, b)
    return a[1] < b[1]
  end)
  for index, wait in ipairs(waits) do
    suspended.labels[index] = wait[2]
  end
  row.suspended = cjson.encode(suspended)
  letGo(row)
  putOff(row.member, suspended.till)
  return places
end

local function park(row)
  letGo(row)
  putOff(row.member, after(transition.delayMs))
  row.parks = row.parks + 1
  if not row.parked then
    addToIndex(PARKED, indexPlace(row))
    row.parked = true
  end
end

-- Answers with what the workflow waits for from now on, and where.
local function release(row)
  if row.byDue then
    call('SREM', KEYS[request.claim], row.id)
    row.byDue = false
  end
  if transition.to == 'park' then
    park(row)
    return {}
  end
  unpark(row)
  if transition.to == 'suspend' then
    return suspend(row)
  elseif transition.to == 'yield' then
    letGo(row)
    makeDue(row.member)
  else
    finish(row, transition.status, KEYS[transition.waiters])
  end
  return {}
end

local function ended(row)
  local fields = { 'endedAt', digits(row.endedAt) }
  for _, name in ipairs({ 'output', 'error' }) do
    if transition[name] then
      table.insert(fields, name)
      table.insert(fields, ARGV[transition[name]])
    end
  end
  return fields
end

local function flag(is)
  return is and '1' or ''
end

local function save(row)
  local fields = row.released and transition.to == 'end' and ended(row) or {}
  if row.released and transition.to == 'park' then
    fields = { 'problem', ARGV[transition.problem] }
  end
  call(
    'HSET', row.key, 'status', row.status, 'held', flag(row.held), 'lease', digits(row.lease), 'leaseMs', digits(row.leaseMs), 'suspended', row.suspended,
    'updatedAt', digits(now), 'attempts', digits(row.attempts), 'lastCommit', digits(request.number), 'released', flag(row.released), 'entries',
    digits(row.entries), 'positions', digits(row.positions), 'waits', row.waits, 'events', digits(row.events), 'byDue', flag(row.byDue), 'expires',
    flag(row.expires), 'parked', flag(row.parked), 'parks', digits(row.parks), 'kept', flag(row.kept), 'keeps', flag(row.keeps), unpack(fields)
  )
end

local function settle(row, whole)
  if row.isAdvanced then
    row.attempts = 0
    unpark(row)
  end
  row.released = transition ~= nil and not isDeferred and not (transition.to == 'suspend' and hasOutcome)
  local waits = {}
  if row.released then
    waits = release(row)
  else
    hold(row, request.leaseMs)
  end
  register(row, waits)
  save(row)
  writeEntries(own)
  writeStreams(own)
  for _, workflow in ipairs(request.workflows) do
    closeInbox(workflow)
  end
  if row.expires then
    local sent = bit.bor(whole.sent, own.opened and own.opened.sent or 0)
    eachUsed(request.whole, sent, row.events, function(key)
      call('PEXPIRE', key, digits(request.retention))
    end)
  end
  publish()
end

-- As far as the request touched them. A queue ends where the next message would go. Queues of others that are in their first segment go without
-- saying, unless somebody thought otherwise.
local function extents(row)
  local mine = {
    id = own.id, entries = row.entries, positions = row.positions, waits = setsOf(row), parent = parentOf(row), streams = {}, queues = {},
  }
  local all = { mine }
  for _, stream in ipairs(request.streams) do
    table.insert(mine.streams, { stream.key, stream.tail })
  end
  for _, workflow in ipairs(request.workflows) do
    local extent = workflow == own and mine or { id = workflow.id, queues = {} }
    for _, queue in ipairs(workflow.loaded and workflow.queues or {}) do
      if workflow == own and not queue.isFilled then
        table.insert(extent.queues, { queue.topic, -1, -1 })
      elseif workflow == own or missing or queue.into > 0 then
        table.insert(extent.queues, { queue.topic, queue.head, queue.into })
      end
    end
    if workflow ~= own and #extent.queues > 0 then
      table.insert(all, extent)
    end
  end
  return all
end

-- Workflows to be started whose IDs are still taken by keys that are being removed.
local function unfinished()
  local ids = {}
  for _, op in ipairs(operations) do
    local workflow = op.type == 'start' and request.workflows[op.workflow]
    if workflow and workflow.isPurging then
      table.insert(ids, workflow.id)
    end
  end
  return ids
end
`;

/** What a commit does, in order. */
export const commitMain = String.raw`
local row = load(own)
local refusal = fence(row)
if refusal then
  return reply({ state = refusal })
end
findEntries(own)
openStreams(own)
openQueues()
local entriesAfter, positionsAfter = plan(row)
local whole = planEnd(row, entriesAfter, positionsAfter)
local purging = own.isRepeated and {} or unfinished()
if missing or #purging > 0 then
  local all = extents(row)
  if whole then
    table.insert(all, 1, whole)
  end
  return reply({ again = true, extents = all, purging = purging, oldest = own.oldest })
end

local results = {}
for index, op in ipairs(operations) do
  results[index] = own.isRepeated and again(op) or apply(row, op)
end
if not own.isRepeated then
  settle(row, whole)
elseif own.isReleased and transition and transition.to == 'end' then
  signalled(KEYS[transition.waiters])
end
local isReleased = own.isReleased or (not own.isRepeated and row.released)
return reply({
  state = isReleased and 'released' or 'held', results = results, woken = woken, now = now, extents = extents(row), expiring = unneeded,
})
`;

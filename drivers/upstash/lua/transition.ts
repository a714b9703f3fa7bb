/** How a workflow ends, by its run or from outside, and when the keys of those that ended go away. */
export const ending = String.raw`
-- What is known of a workflow that ended, in 'ended' and 'expiring': its status and its place in the index of that status.
local function endedPlace(row)
  return row.status .. ' ' .. indexPlace(row)
end

local function forget(place)
  call('ZREM', KEYS[request.ended], place)
  dropFromIndex(string.match(place, '^(%S+) (.*)$'))
end

-- Takes some of those that have expired out of what all workflows share.
local function trim(most)
  local expired = call('ZRANGEBYSCORE', KEYS[request.expiring], '-inf', digits(now), 'LIMIT', '0', digits(most))
  for _, place in ipairs(expired) do
    call('ZREM', KEYS[request.expiring], place)
    forget(place)
  end
end

-- A key of many workflows lives as long as the last of them: its expiry only grows. Answers with whether it stays for ever, and with whether it
-- did not do so before.
local function addShared(key, score, place, retention)
  -- Below 0: there is no such key, or -1, it has no expiry.
  local left = retention and call('PTTL', key)
  call('ZADD', key, score, place)
  if not retention then
    return true, call('PERSIST', key) == 1
  elseif left ~= -1 and left <= retention then
    call('PEXPIRE', key, digits(retention))
  end
  return left == -1, false
end

-- Ends the workflow, whoever holds it. The keys that are its own, all of them, expire together.
local function finish(row, status, results)
  local retention = request.retention
  letGo(row)
  dropFromIndex(row.status, indexPlace(row))
  row.status, row.suspended = status, ''
  addShared(KEYS[request.index[status]], '0', indexPlace(row), retention)
  addShared(KEYS[request.named[status]], '0', namedPlace(indexPlace(row)), retention)
  local isForEver, isNew = addShared(KEYS[request.ended], digits(now), endedPlace(row), retention)
  if retention then
    addShared(KEYS[request.expiring], digits(now + retention), endedPlace(row), retention)
  end
  -- What is taken out of the others by 'expiring' alone must not outlive it.
  if isNew or (retention and isForEver) then
    call('PERSIST', KEYS[request.expiring])
  end
  if retention then
    row.expires = true
    trim(3)
  end
  signal(results)
  changed('outbox:' .. row.id)
end
`;

/** Whether a request has declared every key of a workflow. */
export const coverage = String.raw`
local function coveredBy(pairsOf)
  local reach = {}
  for _, pair in ipairs(pairsOf) do
    reach[pair[1]] = pair
  end
  return reach
end

local function eachField(key, read)
  local fields = call('HGETALL', key)
  for index = 1, #fields, 2 do
    read(fields[index], fields[index + 1])
  end
end

-- How far a workflow reaches: where its lists begin and end.
local function extentOf(workflow, row)
  local extent = { id = workflow.id, entries = row.entries, positions = row.positions, waits = decoded(row.waits), streams = {}, queues = {}, sent = 0, whole = true }
  eachField(KEYS[workflow.streams], function(key, text)
    table.insert(extent.streams, { key, (parseStream(text)) })
  end)
  eachField(KEYS[workflow.inbox], function(field, text)
    local head, tail = string.match(text, '^(%d+):(%d+):')
    if field == 'sent' then
      extent.sent = tonumber(text)
    elseif head then
      table.insert(extent.queues, { string.sub(field, 2), tonumber(head), tonumber(tail) })
    end
  end)
  return extent
end

-- Every key of a workflow, but for the buckets that were never used: those of messages come first, then those of events.
local BUCKETS = 16

local function eachUsed(sent, events, act)
  local index = 0
  eachOf(request.whole, function(key)
    local mask = index < BUCKETS and sent or events
    if index >= 2 * BUCKETS or bit.band(mask, bit.lshift(1, index % BUCKETS)) ~= 0 then
      act(key)
    end
    index = index + 1
  end)
end

-- Whether what is declared reaches as far as the workflow does.
local function isCovered(extent, covers)
  local streams, queues = coveredBy(covers.streams), coveredBy(covers.queues)
  for _, stream in ipairs(extent.streams) do
    local covered = streams[stream[1]]
    if stream[2] > 0 and not (covered and stream[2] <= covered[2]) then
      return false
    end
  end
  for _, queue in ipairs(extent.queues) do
    local covered = queues[queue[1]]
    if not (covered and covered[2] <= queue[2] and queue[3] <= covered[3]) then
      return false
    end
  end
  return extent.entries <= covers.entries and extent.positions <= covers.positions
end
`;

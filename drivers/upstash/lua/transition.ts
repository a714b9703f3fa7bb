/**
 * Which workflows have started others, and may still ask for their results.
 *
 * A child that has ended stays while its parent has neither ended nor read its result. It is then in the parent's `kept`, and not in `ended`. It goes
 * back to `ended` when nobody needs it any more. With a retention its expiry begins then: its place is noted in `expiring`, with a `+` before it, and the driver that is
 * told gives its keys an expiry, since only a request of its own can declare them.
 */
export const families = String.raw`
local own = request.workflows and request.workflows[1]

-- What a child has of its parent: the ID, and what no other workflow with this ID has.
local function familyOf(row)
  return row.id .. '\0' .. row.origin
end

local partsById

local function partOf(id)
  if not partsById then
    partsById = {}
    for _, workflow in ipairs(request.workflows) do
      partsById[workflow.id] = workflow
    end
  end
  return partsById[id]
end

local function isParentDeclared(row)
  local part = row.parent == '' or partOf(parentOf(row))
  return part == true or (part ~= nil and part.kept ~= nil)
end

-- The parent's part of the request, if it may still ask for the result.
local function keeperOf(row)
  local part = row.parent ~= '' and partOf(parentOf(row))
  local parent = part and load(part)
  return parent and familyOf(parent) == row.parent and not isEnded(parent) and part or nil
end

local function keep(row, keeper)
  local parent = keeper.loaded
  call('ZADD', KEYS[keeper.kept], digits(row.endedAt), endedPlace(row))
  row.kept = true
  if not parent.keeps then
    call('HSET', parent.key, 'keeps', '1')
    parent.keeps = true
  end
end

-- The places of children whose keys are to get an expiry.
local unneeded = {}

-- Children that are needed no more: pairs of when they ended and their places.
local function letExpire(children)
  callWith('ZADD', KEYS[request.ended], children)
  call('PERSIST', KEYS[request.ended])
  if not request.retention then
    return
  end
  local noted = {}
  for index = 2, #children, 2 do
    table.insert(unneeded, children[index])
    table.insert(noted, '0')
    table.insert(noted, '+' .. children[index])
  end
  callWith('ZADD', KEYS[request.expiring], noted)
  call('PERSIST', KEYS[request.expiring])
end

-- A parent has recorded how a child of its own has ended.
local function hasRead(parent, child, outcome)
  if not child or outcome.tag == 'timeout' or child.parent ~= familyOf(parent) then
    return
  end
  call('HDEL', child.key, 'parent')
  child.parent = ''
  if child.kept and call('ZREM', KEYS[own.kept], endedPlace(child)) == 1 then
    letExpire({ digits(child.endedAt), endedPlace(child) })
  end
end

-- A parent ends.
local function letChildrenExpire(row, kept)
  if not row.keeps then
    return
  end
  local found, children = call('ZRANGE', kept, '0', '-1', 'WITHSCORES'), {}
  for index = 1, #found, 2 do
    table.insert(children, found[index + 1])
    table.insert(children, found[index])
  end
  call('DEL', kept)
  row.keeps = false
  if #children > 0 then
    letExpire(children)
  end
end
`;

/** How a workflow ends, by its run or from outside, and when the keys of those that ended go away. */
export const ending = String.raw`
-- What is known of a workflow that ended, in 'ended' and 'expiring': its status and its place in the index of that status.
local function endedPlace(row)
  return row.status .. ' ' .. indexPlace(row)
end

-- The ID of such a place.
local function idAt(place)
  return idOf(string.sub(string.match(place, '^%S+ (.*)$'), 15))
end

local function forget(place)
  call('ZREM', KEYS[request.ended], place)
  dropFromIndex(string.match(place, '^(%S+) (.*)$'))
end
${families}
-- Takes some of those that have expired out of what all workflows share. Those that are to get an expiry come first; only who has a retention can give it.
local function trim(most)
  local first = request.retention and '-inf' or '(0'
  local expired = call('ZRANGEBYSCORE', KEYS[request.expiring], first, digits(now), 'LIMIT', '0', digits(most))
  for _, place in ipairs(expired) do
    if string.sub(place, 1, 1) == '+' then
      table.insert(unneeded, string.sub(place, 2))
    else
      call('ZREM', KEYS[request.expiring], place)
      forget(place)
    end
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

-- Puts an ended workflow where those are that ended. A child that is needed has no expiry yet.
local function indexEnd(row, keeper, retention)
  local status = row.status
  local isForEver, isNew = addShared(KEYS[request.index[status]], '0', indexPlace(row), retention)
  addShared(KEYS[request.named[status]], '0', namedPlace(indexPlace(row)), retention)
  if keeper then
    keep(row, keeper)
  else
    local alsoForEver, alsoNew = addShared(KEYS[request.ended], digits(row.endedAt), endedPlace(row), retention)
    isForEver, isNew = isForEver or alsoForEver, isNew or alsoNew
  end
  if retention then
    addShared(KEYS[request.expiring], digits(now + retention), endedPlace(row), retention)
  end
  -- What is taken out of the others by 'expiring' alone must not outlive it.
  if isNew or (retention and isForEver) then
    call('PERSIST', KEYS[request.expiring])
  end
end

-- Ends the workflow, whoever holds it. The keys that are its own, all of them, expire together.
local function finish(row, status, results)
  local keeper = request.retention and keeperOf(row) or nil
  local retention = not keeper and request.retention or nil
  letGo(row)
  dropFromIndex(row.status, indexPlace(row))
  row.status, row.suspended, row.endedAt = status, '', now
  indexEnd(row, keeper, retention)
  letChildrenExpire(row, KEYS[own.kept])
  row.expires = retention ~= nil
  if request.retention then
    trim(3)
  end
  signal(results, nil, status == 'SUCCESS')
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
  local extent = {
    id = workflow.id, entries = row.entries, positions = row.positions, waits = setsOf(row), parent = parentOf(row), streams = {}, queues = {}, sent = 0,
    whole = true,
  }
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

local function eachUsed(whole, sent, events, act)
  local index = 0
  eachOf(whole, function(key)
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

/** Removing those that ended: which they are; marking them, after which they are not there; removing their keys. */
export const purgePeekMain = String.raw`
trim(100)
-- Those too whose removal was begun and not finished.
local begun = call('ZRANGEBYSCORE', KEYS[request.purging], '-inf', '+inf', 'LIMIT', '0', digits(request.limit))
local places = call('ZRANGEBYSCORE', KEYS[request.ended], '-inf', digits(now - request.olderThanMs), 'LIMIT', '0', digits(request.limit))
local old = {}
for index, place in ipairs(places) do
  old[index] = { id = idAt(place), place = place }
end
return reply({ begun = begun, old = old, expiring = unneeded })
`;

export const purgeMarkMain = String.raw`
local marked, kept, extents = 0, 0, {}
local function mark(workflow, row)
  call('HSET', row.key, 'purging', request.token)
  call('ZADD', KEYS[request.purging], digits(now), workflow.id)
  changed('outbox:' .. workflow.id)
  marked = marked + 1
end

-- The row of one that is still as it was found.
local function oldRow(workflow)
  local row = workflow.place and load(workflow)
  return row and isEnded(row) and endedPlace(row) == workflow.place and row or nil
end

local parents = {}
for _, workflow in ipairs(request.workflows) do
  local row = oldRow(workflow)
  if row and not isParentDeclared(row) then
    table.insert(parents, { id = row.id, parent = parentOf(row) })
  end
end
if #parents > 0 then
  return reply({ again = true, extents = parents })
end

-- A child that its parent may still ask for is not looked at again before it is needed no more.
local function remove(workflow)
  local row = oldRow(workflow)
  local keeper = row and keeperOf(row)
  if keeper then
    call('ZREM', KEYS[request.ended], workflow.place)
    keep(row, keeper)
    call('HSET', row.key, 'kept', '1')
    kept = kept + 1
    return
  elseif row then
    mark(workflow, row)
  end
  call('ZREM', KEYS[request.expiring], workflow.place, '+' .. workflow.place)
  forget(workflow.place)
end

for _, workflow in ipairs(request.workflows) do
  if workflow.place then
    remove(workflow)
  end
end
publish()
for _, workflow in ipairs(request.workflows) do
  if workflow.isOld then
    local texts = call('HMGET', KEYS[workflow.row], 'purging', 'entries', 'positions')
    if texts[1] then
      local row = { entries = tonumber(texts[2] or '0'), positions = tonumber(texts[3] or '0'), waits = '', parent = '' }
      table.insert(extents, { token = texts[1], extent = extentOf(workflow, row) })
    else
      call('ZREM', KEYS[request.purging], workflow.id)
    end
  end
end
return reply({ marked = marked, kept = kept, removals = extents })
`;

/** The mark is looked at each time: another purge may have been faster, and the ID may be a new workflow's since. */
export const purgeRemoveMain = String.raw`
for _, one in ipairs(request.removals) do
  if call('HGET', KEYS[one.row], 'purging') == one.token then
    local keys = {}
    eachOf(one.keys, function(key)
      table.insert(keys, key)
    end)
    portions(keys, function(portion)
      call('UNLINK', unpack(portion))
    end)
    if one.isLast then
      call('UNLINK', KEYS[one.row])
      call('ZREM', KEYS[request.purging], one.id)
    end
  end
end
return reply({})
`;

/** Gives children that are needed no more the expiry that they would have had at their end. */
export const expireMain = String.raw`
local due, stale, extents = {}, {}, {}
for _, workflow in ipairs(request.workflows) do
  local row = load(workflow)
  local isWanted = call('ZSCORE', KEYS[request.expiring], '+' .. workflow.place)
  if isWanted and row and isEnded(row) and not row.expires and endedPlace(row) == workflow.place then
    local extent = extentOf(workflow, row)
    missing = missing or not workflow.covers or not isCovered(extent, workflow.covers)
    table.insert(extents, extent)
    table.insert(due, { workflow = workflow, row = row, sent = extent.sent })
  elseif isWanted then
    table.insert(stale, '+' .. workflow.place)
  end
end
if missing then
  return reply({ again = true, extents = extents })
end
callWith('ZREM', KEYS[request.expiring], stale)
for _, one in ipairs(due) do
  call('HSET', one.row.key, 'expires', '1', 'kept', '')
  call('ZADD', KEYS[request.expiring], digits(now + request.retention), one.workflow.place)
  call('ZREM', KEYS[request.expiring], '+' .. one.workflow.place)
  eachUsed(one.workflow.whole, one.sent, one.row.events, function(key)
    call('PEXPIRE', key, digits(request.retention))
  end)
end
return reply({})
`;

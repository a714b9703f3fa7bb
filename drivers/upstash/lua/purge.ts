/** Removing those that ended: which they are; marking them, after which they are not there; removing their keys. */
export const purgePeekMain = String.raw`
trim(100)
-- Those too whose removal was begun and not finished.
local begun = call('ZRANGEBYSCORE', KEYS[request.purging], '-inf', '+inf', 'LIMIT', '0', digits(request.limit))
local places = call('ZRANGEBYSCORE', KEYS[request.ended], '-inf', digits(now - request.olderThanMs), 'LIMIT', '0', digits(request.limit))
local old = {}
for index, place in ipairs(places) do
  old[index] = { id = idOf(string.sub(string.match(place, '^%S+ (.*)$'), 15)), place = place }
end
return reply({ begun = begun, old = old })
`;

export const purgeMarkMain = String.raw`
local marked, extents = 0, {}
local function mark(workflow, row)
  call('HSET', row.key, 'purging', request.token)
  call('ZADD', KEYS[request.purging], digits(now), workflow.id)
  changed('outbox:' .. workflow.id)
  marked = marked + 1
end

for _, workflow in ipairs(request.workflows) do
  local row = workflow.place and load(workflow)
  if row and isEnded(row) and endedPlace(row) == workflow.place then
    mark(workflow, row)
  end
  if workflow.place then
    call('ZREM', KEYS[request.expiring], workflow.place)
    forget(workflow.place)
  end
end
publish()
for _, workflow in ipairs(request.workflows) do
  local texts = call('HMGET', KEYS[workflow.row], 'purging', 'entries', 'positions')
  if texts[1] then
    local extent = extentOf(workflow, { entries = tonumber(texts[2] or '0'), positions = tonumber(texts[3] or '0'), waits = '' })
    table.insert(extents, { token = texts[1], extent = extent })
  else
    call('ZREM', KEYS[request.purging], workflow.id)
  end
end
return reply({ marked = marked, removals = extents })
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

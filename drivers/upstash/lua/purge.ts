/** Looks for workflows that a purge may remove. */
export const purgePeekMain = String.raw`
trim(100)
local latest = digits(now - request.olderThanMs)
local places = call('ZRANGEBYSCORE', sharedKey('ended'), '-inf', latest, 'LIMIT', '0', digits(request.limit))
return reply({ places = places, expiring = unneeded })
`;

/** Removes workflows that are still as they were found, with all of their keys. */
export const purgeMain = String.raw`
local purged, kept = 0, 0

-- A child that its parent may still ask for is out of the way of later purges until nobody needs it.
local function remove(workflow)
  local row = load(workflow)
  local isSame = row and isEnded(row) and endedPlace(row) == workflow.place
  if isSame and isKeeperAlive(row) then
    call('ZREM', sharedKey('ended'), workflow.place)
    keep(row)
    save(row)
    kept = kept + 1
    return
  elseif isSame then
    call('UNLINK', unpack(ownKeys(row)))
    changed('outbox:' .. row.id)
    purged = purged + 1
  end
  call('ZREM', sharedKey('expiring'), workflow.place, '+' .. workflow.place)
  forget(workflow.place)
end

for _, workflow in ipairs(request.workflows) do
  remove(workflow)
end
publish()
return reply({ purged = purged, kept = kept })
`;

/** Gives children that nobody needs any more the expiry that they would have had at their end. */
export const expireMain = String.raw`
for _, workflow in ipairs(request.workflows) do
  local row = load(workflow)
  if call('ZREM', sharedKey('expiring'), '+' .. workflow.place) == 1 and row and isEnded(row) and not row.expires
    and endedPlace(row) == workflow.place then
    row.expires, row.kept = true, false
    save(row)
    call('ZADD', sharedKey('expiring'), digits(now + request.retention), workflow.place)
    expireKeys(row)
  end
end
return reply({})
`;

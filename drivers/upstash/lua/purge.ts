/** Finds workflows that a purge may remove. */
export const purgePeekMain = String.raw`
trim(100)
local latest = digits(now - request.olderThanMs)
local places = call('ZRANGEBYSCORE', sharedKey('ended'), '-inf', latest, 'LIMIT', '0', digits(request.limit))
return reply({ places = places, expiring = unneeded })
`;

/** Reading the places of ended workflows. */
export const places = String.raw`
-- The ended workflow at a place in 'ended'; nil if it has changed or gone.
local function endedAt(place)
  local row = load(idOf(string.sub(string.match(place, '^%S+ (.*)$'), 15)))
  return row and isEnded(row) and endedPlace(row) == place and row or nil
end
`;

/** Removes workflows that have not changed since they were found, with all of their keys. */
export const purgeMain = String.raw`
local purged, kept = 0, 0

-- A child that its parent may still ask for stays, and leaves 'ended', so that later purges do not
-- find it.
local function remove(place)
  local row = endedAt(place)
  if row and isKeeperAlive(row) then
    call('ZREM', sharedKey('ended'), place)
    keep(row)
    save(row)
    kept = kept + 1
    return
  elseif row then
    call('UNLINK', unpack(ownKeys(row)))
    changed('outbox:' .. row.id)
    purged = purged + 1
  end
  call('ZREM', sharedKey('expiring'), place, '+' .. place)
  forget(place)
end

for _, place in ipairs(request.places) do
  remove(place)
end
publish()
return reply({ purged = purged, kept = kept })
`;

/** Keeping a child again whose parent was resumed. */
export const keeping = String.raw`
local function keepAgain(row)
  stay(row)
  indexEnd(row, true, nil)
  save(row)
end
`;

/** Keeps the children of a resumed parent again, among workflows that it may have started. */
export const keepMain = String.raw`
for _, id in ipairs(request.workflowIds) do
  local row = load(id)
  if row and isEnded(row) and isKeeperAlive(row) then
    keepAgain(row)
  end
end
return reply({ done = true })
`;

/** Sets the expiry of children that nobody needs any more, as their end would have done. */
export const expireMain = String.raw`
for _, place in ipairs(request.places) do
  local row = endedAt(place)
  if row and isKeeperAlive(row) then
    keepAgain(row)
  elseif call('ZREM', sharedKey('expiring'), '+' .. place) == 1 and row and not row.expires then
    row.expires, row.kept = true, false
    save(row)
    call('ZADD', sharedKey('expiring'), digits(now + request.retention), place)
    expireKeys(row)
  end
end
return reply({ done = true })
`;

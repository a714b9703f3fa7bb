/** Finds workflows that a purge may remove. */
export const purgePeekMain = String.raw`
if request.retention then
  trim(100)
  writeAll()
end
local latest = digits(now - request.olderThanMs)
local places = call('ZRANGEBYSCORE', ENDED.key, '0', latest, 'LIMIT', '0', digits(request.limit))
return reply({ places = places, expiring = unneeded })
`;

/** Removes workflows that have not changed since they were found, with all of their keys. */
export const purgeMain = String.raw`
local purged, kept = 0, 0

-- A child that its parent may still ask for stays, and leaves 'ended', so that later purges do not
-- find it.
for _, place in ipairs(request.places) do
  local row = endedAt(place)
  if row and isKeeperAlive(row) then
    put(ENDED, place, false)
    keep(row)
    save(row)
    kept = kept + 1
  else
    if row then
      call('UNLINK', unpack(ownKeys(row)))
      changed('status:' .. row.id)
      purged = purged + 1
    end
    forget(place)
  end
end
writeAll()
return reply({ purged = purged, kept = kept })
`;

/** Keeps the children of a resumed parent again, among workflows that it may have started. */
export const keepMain = String.raw`
for _, id in ipairs(request.workflowIds) do
  local row = load(id)
  if row and isEnded(row) and isKeeperAlive(row) then keepAgain(row) end
end
writeAll()
for _, row in pairs(saved) do expireKeys(row) end
return reply({ done = true })
`;

/** Sets the expiry of children that nobody needs any more, as their end would have done. */
export const expireMain = String.raw`
for _, place in ipairs(request.places) do
  local row = endedAt(place)
  if row and isKeeperAlive(row) then
    keepAgain(row)
  elseif read(ENDED, '+' .. place) then
    put(ENDED, '+' .. place, false)
    if row and not row.expires then
      row.expires, row.kept = true, false
      save(row)
      put(ENDED, '-' .. place, digits(now + request.retention - LATEST))
    end
  end
end
writeAll()
for _, row in pairs(saved) do
  if row.expires then expireOwn(row) else expireKeys(row) end
end
return reply({ done = true })
`;

/**
 * The families of workflows. A parent is a member of `families` until it ends. Its row counts the
 * `children` whose results it has not recorded.
 *
 * A child that has ended stays while its parent may still ask for its result. The child is then
 * `kept`: it is in `families`, behind the member of its parent, and not in `ended`. It returns to
 * `ended` when its parent has ended or has recorded its result. With a retention its expiry begins
 * then: its place is in `expiring` with a `+` before it, and the answer tells the driver to make a
 * request that declares the keys of the child. If the parent is resumed, another request keeps the
 * child again.
 */
const families = String.raw`
-- Identifies a parent: its ID, and its origin, because another workflow may get the same ID later.
local function familyOf(row)
  return row.id .. '\0' .. row.origin
end

local function isKeeperAlive(row)
  return row.parent and call('ZSCORE', sharedKey('families'), row.parent)
end

local function keptPlace(row)
  return row.parent .. '\0' .. string.format('%014.0f', row.endedAt) .. endedPlace(row)
end

local function keep(row)
  call('ZADD', sharedKey('families'), '0', keptPlace(row))
  row.kept = true
end

-- For the start of the first child, and when a parent is resumed.
local function becomeParent(row)
  call('ZADD', sharedKey('families'), '0', familyOf(row))
end

-- Returns whether it is the first child.
local function addChild(row, child)
  local isFirst = not row.children
  row.children = (row.children or 0) + 1
  child.parent = familyOf(row)
  return isFirst
end

-- The places of children whose keys need an expiry.
local unneeded = {}

-- Releases children that nobody needs any more. Takes pairs of the instant of their end and their
-- place.
local function letExpire(children)
  callWith('ZADD', sharedKey('ended'), children)
  call('PERSIST', sharedKey('ended'))
  if not request.retention then
    return
  end
  local noted = {}
  for index = 2, #children, 2 do
    append(unneeded, children[index])
    append(noted, '0', '+' .. children[index])
  end
  callWith('ZADD', sharedKey('expiring'), noted)
  call('PERSIST', sharedKey('expiring'))
end

-- Notes that a workflow has recorded the result of another one, which may be its child.
local function hasRead(parent, child)
  if not child or child.parent ~= familyOf(parent) then
    return
  end
  local isKept = child.kept and call('ZREM', sharedKey('families'), keptPlace(child)) == 1
  parent.children, child.parent = parent.children - 1, nil
  save(child)
  if isKept then
    letExpire({ digits(child.endedAt), endedPlace(child) })
  end
end

-- Releases the kept children of a workflow that ends. If it has recorded the results of all its
-- children, none is kept.
local function letChildrenExpire(row)
  if not row.children then
    return
  end
  local family, children = familyOf(row), {}
  local found = { family }
  if row.children > 0 then
    found = call('ZRANGEBYLEX', sharedKey('families'), '[' .. family, '(' .. family .. '\1')
  end
  for index = 2, #found do
    local kept = string.sub(found[index], #family + 2)
    append(children, string.sub(kept, 1, 14), string.sub(kept, 15))
  end
  callWith('ZREM', sharedKey('families'), found)
  if #children > 0 then
    letExpire(children)
  end
end
`;

/** How a workflow ends, by its run or from outside, and when the keys of ended workflows expire. */
export const ending = String.raw`
-- The place of an ended workflow in 'ended' and 'expiring': its status and its place in the index
-- of that status.
local function endedPlace(row)
  return row.status .. ' ' .. indexPlace(row)
end

local function forget(place)
  call('ZREM', sharedKey('ended'), place)
  dropFromIndex(string.match(place, '^(%S+) (.*)$'))
end
${families.trim()}

-- Takes some expired workflows out of the shared keys. Children that need an expiry come first, and
-- only a driver with a retention can set it.
local function trim(most)
  local first = request.retention and '-inf' or '(0'
  local expired = call('ZRANGEBYSCORE', sharedKey('expiring'), first, digits(now), 'LIMIT', '0', digits(most))
  for _, place in ipairs(expired) do
    if string.sub(place, 1, 1) == '+' then
      append(unneeded, string.sub(place, 2))
    else
      call('ZREM', sharedKey('expiring'), place)
      forget(place)
    end
  end
end

-- A shared key lives as long as the last workflow in it, so its expiry only grows. Returns whether
-- 'expiring' must not expire, because this key does not expire and has workflows that do.
local function addShared(name, score, place, retention)
  local key = sharedKey(name)
  -- -1 if the key has no expiry, -2 if there is no key.
  local left = retention and call('PTTL', key)
  call('ZADD', key, score, place)
  if not retention then
    return call('PERSIST', key) == 1
  elseif left ~= -1 and left <= retention then
    call('PEXPIRE', key, digits(retention))
  end
  return left == -1
end

-- Puts an ended workflow into the shared keys. A child that its parent needs has no expiry yet.
local function indexEnd(row, isNeeded, retention)
  local place = indexPlace(row)
  local mustStay = addShared('index/' .. row.status, '0', place, retention)
  addShared('named/' .. row.status, '0', namedPlace(place), retention)
  if isNeeded then
    keep(row)
  else
    mustStay = addShared('ended', digits(row.endedAt), endedPlace(row), retention) or mustStay
  end
  if retention then
    addShared('expiring', digits(now + retention), endedPlace(row), retention)
  end
  -- Only the members of 'expiring' are taken out of the other keys, so it must not expire before those.
  if mustStay then
    call('PERSIST', sharedKey('expiring'))
  end
end

-- The keys of a workflow, without those that cannot exist.
local function ownKeys(row)
  local keys = {}
  for _, kind in ipairs({ 'workflow', 'open', 'inbox', 'sent' }) do
    append(keys, keyOf(row.id, kind))
  end
  append(keys, row.entries > 0 and keyOf(row.id, 'journal') or nil)
  append(keys, row.eventBytes > 0 and keyOf(row.id, 'events') or nil)
  append(keys, row.streamBytes > 0 and keyOf(row.id, 'streams') or nil)
  return keys
end

local function expireKeys(row)
  for _, key in ipairs(ownKeys(row)) do
    call('PEXPIRE', key, digits(request.retention))
  end
end

-- Takes an ended workflow out of 'ended' and 'expiring', and undoes the expiry of its keys.
local function stay(row)
  call('ZREM', sharedKey('ended'), endedPlace(row))
  if row.kept then
    call('ZREM', sharedKey('expiring'), '+' .. endedPlace(row))
  end
  if row.expires then
    call('ZREM', sharedKey('expiring'), endedPlace(row))
    for _, key in ipairs(ownKeys(row)) do
      call('PERSIST', key)
    end
  end
  row.expires = false
end

-- Ends a workflow, also while a run holds it. The caller sets the expiry of its keys after the last
-- write to them.
local function finish(row, status)
  local isNeeded = request.retention and isKeeperAlive(row)
  local retention = not isNeeded and request.retention or nil
  letGo(row)
  dropFromIndex(row.status, indexPlace(row))
  row.status, row.suspended, row.endedAt = status, nil, now
  indexEnd(row, isNeeded, retention)
  letChildrenExpire(row)
  row.expires = retention ~= nil
  if request.retention then
    trim(3)
  end
  signal(row.id, nil, status == 'SUCCESS')
  changed('outbox:' .. row.id)
end
`;

/**
 * How a workflow ends, by its run or from outside, and when the keys of ended workflows expire.
 *
 * A parent is a member of `families` until it ends. Its row counts the `children` whose results it
 * has not recorded. A child that has ended stays while its parent may still ask for its result. The
 * child is then `kept`: it is in `families`, behind the member of its parent, and not in `ended`. It
 * returns to `ended` when its parent has ended or has recorded its result. With a retention its
 * expiry begins then: `ended` has its place with a `+` before it, and the answer tells the driver to
 * make a request that declares the keys of the child. If the parent is resumed, another request keeps
 * the child again.
 *
 * `ended` has three kinds of members: the place of an ended workflow, by when it ended; the place of
 * one that expires, with a `-` before it, by when it expires minus LATEST, so below 0; and those
 * with a `+`, below all others.
 */
export const ending = [
  String.raw`local ENDED, FAMILIES = shared('ended'), shared('families')`,
  // The place of an ended workflow in 'ended': its status and its place in the index of that status.
  String.raw`local function endedPlace(row) return row.status .. ' ' .. indexPlace(row) end`,
  // The ended workflow at such a place; nil if it has changed or gone.
  String.raw`local function endedAt(place)
  local row = load(idOf(string.sub(string.match(place, '^%S+ (.*)$'), 15)))
  return row and isEnded(row) and endedPlace(row) == place and row or nil
end

local function leaveEnded(place)
  for _, kind in ipairs({ '', '-', '+' }) do put(ENDED, kind .. place, false) end
end`,
  // Takes a place out of all shared keys.
  String.raw`local function forget(place)
  leaveEnded(place)
  dropFromIndex(string.match(place, '^(%S+) (.*)$'))
end`,
  // Identifies a parent: its ID, and its origin, because another workflow may get the same ID later.
  String.raw`local function familyOf(row) return row.id .. '\0' .. row.origin end
local function becomeParent(row) put(FAMILIES, familyOf(row), '0') end
local function isKeeperAlive(row) return row.parent and read(FAMILIES, row.parent) end

local function keptPlace(row) return row.parent .. '\0' .. padded(row.endedAt) .. endedPlace(row) end
local function keep(row)
  put(FAMILIES, keptPlace(row), '0')
  row.kept = true
end`,
  // The places of children whose keys need an expiry. While 'ended' may have some, it has no expiry.
  String.raw`local unneeded = {}
local function letExpire(endedAt, place)
  put(ENDED, place, endedAt)
  ENDED.isLasting = true
  if not request.retention then return end
  append(unneeded, place)
  put(ENDED, '+' .. place, digits(-LATEST))
end`,
  // Notes that a workflow has recorded the result of another one, which may be its child.
  String.raw`local function hasRead(parent, child)
  if not child or child.parent ~= familyOf(parent) then return end
  local place = child.kept and keptPlace(child)
  -- A parent that a late repeat of its create has made again has no count of earlier children.
  if parent.children then parent.children = parent.children - 1 end
  child.parent = nil
  save(child)
  if place and read(FAMILIES, place) then
    put(FAMILIES, place, false)
    letExpire(digits(child.endedAt), endedPlace(child))
  end
end`,
  // The entries of a journal: the head of each, its value, and its text.
  String.raw`local function eachEntry(row, visit)
  local hash = hashOf(row.id, 'workflow')
  for seq = 1, row.entries do want(hash, digits(seq)) end
  for seq = 1, row.entries do
    local text = read(hash, digits(seq))
    local head, shown = string.match(text, '^([^\n]*)\n(.*)$')
    visit(cjson.decode(head), shown, text, seq)
  end
end`,
  // The workflows that one has started, if some may not have been asked for their results. Only a
  // start records 'done' with a value, which is an ID.
  String.raw`local function startedBy(row)
  local ids = {}
  if (row.children or 0) == 0 then return ids end
  eachEntry(row, function(head, id) if id ~= '' and head[3] == 'done' then append(ids, id) end end)
  for _, name in ipairs(row.hasLeft and call('HKEYS', keyOf(row.id, 'workflow')) or {}) do
    if string.sub(name, 1, 2) == 'c:' then append(ids, string.sub(name, 3)) end
  end
  return ids
end`,
  // Notes started workflows whose entries leave the journal.
  String.raw`local function noteLeft(row, ids)
  for _, id in ipairs(ids) do put(hashOf(row.id, 'workflow'), 'c:' .. id, '1') end
  row.hasLeft = row.hasLeft or #ids > 0
end`,
  // Releases the kept children of a workflow that ends. If it has recorded the results of all its
  // children, none is kept.
  String.raw`local function letChildrenExpire(row)
  if not row.children then return end
  local family = familyOf(row)
  put(FAMILIES, family, false)
  if row.children == 0 then return end
  for _, found in ipairs(call('ZRANGEBYLEX', FAMILIES.key, '[' .. family .. '\0', '(' .. family .. '\1')) do
    local kept = string.sub(found, #family + 2)
    put(FAMILIES, found, false)
    letExpire(string.sub(kept, 1, 14), string.sub(kept, 15))
  end
end`,
  // Takes some expired workflows out of the shared keys. Children that need an expiry come first, and
  // only a driver with a retention can set it.
  String.raw`local function trim(most)
  local first = (request.retention and '' or '(') .. digits(-LATEST)
  local expired = call('ZRANGEBYSCORE', ENDED.key, first, digits(now - LATEST), 'LIMIT', '0', digits(most))
  for _, member in ipairs(expired) do
    local place = string.sub(member, 2)
    if string.sub(member, 1, 1) == '+' then append(unneeded, place) else forget(place) end
  end
end`,
  // The keys of a workflow, without those that cannot exist.
  String.raw`local function ownKeys(row)
  return { keyOf(row.id, 'workflow'), keyOf(row.id, 'inbox'), row.streamBytes > 0 and keyOf(row.id, 'streams') or nil }
end`,
  // A shared key lives as long as the last workflow in it, so its expiry only grows. 'ended' does not
  // expire before the indexes, because it tells which of their members have expired. 'leftMs' has the
  // expiry of a key before the writes, in milliseconds: -1 for none, -2 if there is no such key.
  String.raw`local leftMs = {}

local function expireShared(key, mustStay)
  local left = leftMs[key] or -1
  if mustStay then
    call('PERSIST', key)
  elseif left ~= -1 and left <= request.retention then
    call('PEXPIRE', key, digits(request.retention))
  end
end`,
  // Sets the expiry of all keys of an end. It follows the writes to them.
  String.raw`local function expireKeys(row)
  local index = sharedKey('index/' .. row.status)
  expireShared(index, not row.expires)
  if not ENDED.isLasting then expireShared(ENDED.key, not row.expires or leftMs[index] == -1) end
  for _, key in ipairs(row.expires and ownKeys(row) or {}) do call('PEXPIRE', key, digits(request.retention)) end
end

local function beginExpiry(row)
  row.expires = true
  put(ENDED, '-' .. endedPlace(row), digits(now + request.retention - LATEST))
end`,
  // Undoes the expiry of an ended workflow, and takes it out of 'ended'.
  String.raw`local function stay(row)
  leaveEnded(endedPlace(row))
  for _, key in ipairs(row.expires and ownKeys(row) or {}) do call('PERSIST', key) end
  row.expires = false
end`,
  // Keeps a child again whose parent was resumed.
  String.raw`local function keepAgain(row)
  stay(row)
  addToIndex(row.status, indexPlace(row))
  keep(row)
  save(row)
end`,
  // Ends a workflow, also while a run holds it. The caller saves the row and calls 'expireKeys'.
  String.raw`local function finish(row, status)
  local isNeeded = request.retention and isKeeperAlive(row)
  letGo(row)
  reindex(row, status)
  row.suspended, row.endedAt, row.expires = nil, now, false
  letChildrenExpire(row)
  if isNeeded then keep(row) else put(ENDED, endedPlace(row), digits(now)) end
  if request.retention and not isNeeded then
    beginExpiry(row)
    for _, key in ipairs({ sharedKey('index/' .. status), ENDED.key }) do leftMs[key] = call('PTTL', key) end
  end
  if request.retention then trim(3) end
  signal(row.id, nil, status == 'SUCCESS')
  changed('status:' .. row.id)
end`,
].join("\n");

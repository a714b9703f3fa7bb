/** Reading one thing, and the status of its workflow with it. */
export const readWorkflowsMain = String.raw`
local shown = request.values and SHOWN or { 'updatedAt', 'problem', 'error' }
local found, read = {}, 0
while read < #request.workflows and (read == 0 or answered < request.budget) do
  read = read + 1
  local row = load(request.workflows[read], shown)
  if row then
    append(found, record(row))
  end
end
return reply({ workflows = found, read = read })
`;

export const readJournalMain = String.raw`
local row = load(own)
if not row then
  return reply({})
end
return reply({ journal = journalPage(row, request.after, request.limit, request.budget, 1) })
`;

export const readEventMain = String.raw`
local row = load(own)
local event = row and call('HMGET', keyOf(own, 'events'), 'n' .. request.key, 'v' .. request.key)
local version = event and event[1] and tonumber(string.match(event[1], '^%d+')) or nil
return reply({ status = row and row.status, version = version, value = version and value(event[2]) })
`;

export const readStreamMain = String.raw`
local row = load(own)
local tail, isClosed = parseStream(row and call('HGET', keyOf(own, 'streams'), 't' .. request.key))
local limit = math.min(request.limit, tail - request.from)
local function fieldAt(place)
  return streamField(request.key, place)
end
local read = page(keyOf(own, 'streams'), fieldAt, request.from, limit, request.budget, 1)
return reply({ status = row and row.status, tail = tail, closed = isClosed, values = read })
`;

/** Which workflows are next in the indexes of statuses. Those that have expired go on the way. */
export const listMain = String.raw`
trim(100)

-- Of an index, those after a place.
local function readIndex(index)
  local after = request.after and '(' .. request.after .. '\1' or '-'
  return call('ZRANGEBYLEX', sharedKey(index), after, '+', 'LIMIT', '0', digits(request.limit))
end

-- Of an index by names, those of one name.
local function readNamed(index)
  local name = request.name
  local after = request.after and '(' .. name .. '\0' .. request.after or '[' .. name .. '\0'
  local found = call('ZRANGEBYLEX', sharedKey(index), after, '(' .. name .. '\1', 'LIMIT', '0', digits(request.limit))
  for at, place in ipairs(found) do
    found[at] = string.sub(place, #name + 2) .. '\0' .. name
  end
  return found
end

-- Whether a place comes before another in the order of their bytes, as Redis has it. Lua compares texts by
-- the locale of the server, which is the same order for digits alone.
local function isBefore(one, other)
  local first, second = string.sub(one, 1, 14), string.sub(other, 1, 14)
  if first ~= second then
    return first < second
  end
  for at = 15, math.min(#one, #other) do
    local left, right = string.byte(one, at), string.byte(other, at)
    if left ~= right then
      return left < right
    end
  end
  return #one < #other
end

local places, isCut = {}, false
for _, index in ipairs(request.indexes) do
  local found = (request.name and readNamed or readIndex)(index)
  isCut = isCut or #found == request.limit
  for _, place in ipairs(found) do
    append(places, place)
  end
end
table.sort(places, isBefore)

-- Of several indexes that were read in part, only so many of the places together are known to be the next ones.
local ids = {}
local last
for index = 1, math.min(#places, request.limit) do
  last = string.match(places[index], '^[^%z]*')
  ids[index] = string.sub(last, 15)
end
return reply({ ids = ids, last = isCut and last or nil, expiring = unneeded })
`;

/** Reads workflows, as many as fit into one answer. */
export const readWorkflowsMain = String.raw`
-- About the most bytes of values in an answer.
local MAX_ANSWER_BYTES = 4194304

local shown = request.values and { 'problem', 'error', 'input', 'output' } or { 'problem', 'error' }
local ids, found, read = request.workflowIds, {}, 0
while read < #ids and (read == 0 or answered < MAX_ANSWER_BYTES) do
  read = read + 1
  local texts = call('HMGET', keyOf(ids[read], 'workflow'), 'row', unpack(shown))
  if texts[1] then
    append(found, record(cjson.decode(texts[1]), unpack(texts, 2, 5)))
  end
end
return reply({ workflows = found, read = read })
`;

/** Reads a page of a journal. */
export const readJournalMain = String.raw`
local row = load(request.workflowId)
if not row then
  return reply({ after = 0, entries = {}, more = false })
end
return reply(journalPage(row, math.max(0, request.after), math.min(request.limit, MAX_PAGE_ITEMS), MAX_PAGE_BYTES, 1))
`;

/** Reads an event and the status of its workflow. */
export const readEventMain = String.raw`
local row = load(request.workflowId)
local text = row and call('HGET', keyOf(row.id, 'events'), request.key)
local event = text and parseEvent(text)
return reply({
  status = row and row.status or cjson.null,
  event = event and { version = event.version, value = value(event.text) } or cjson.null,
})
`;

/** Reads a page of a stream and the status of its workflow. */
export const readStreamMain = String.raw`
local row = load(request.workflowId)
local key = keyOf(request.workflowId, 'streams')
local tail, isClosed = parseStream(row and call('HGET', key, 't' .. request.key))
local function fieldAt(place)
  return streamField(request.key, place)
end
local limit = math.min(request.limit, tail - request.from, MAX_PAGE_ITEMS)
local values = page(key, fieldAt, request.from, limit, MAX_PAGE_BYTES, 1)
return reply({ status = row and row.status or cjson.null, tail = tail, closed = isClosed, values = values })
`;

/** Finds the next workflows in the indexes. Also takes some expired workflows out of them. */
export const listMain = String.raw`
trim(100)

-- The next places of an index.
local function readIndex(index)
  local after = request.after and '(' .. request.after .. '\1' or '-'
  return call('ZRANGEBYLEX', sharedKey(index), after, '+', 'LIMIT', '0', digits(request.limit))
end

-- The next places of one name, in an index by name.
local function readNamed(index)
  local name = request.name
  local after = request.after and '(' .. name .. '\0' .. request.after or '[' .. name .. '\0'
  local found = call('ZRANGEBYLEX', sharedKey(index), after, '(' .. name .. '\1', 'LIMIT', '0', digits(request.limit))
  for at, place in ipairs(found) do
    found[at] = string.sub(place, #name + 2) .. '\0' .. name
  end
  return found
end

-- Whether a place comes before another one in the order of their bytes, which is the order of
-- Redis. Lua compares texts by the locale of the server, which orders only digits in the same way.
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

-- If several indexes were read in part, only the first places of the merged list are known to be next.
local ids = {}
local last
for index = 1, math.min(#places, request.limit) do
  last = string.match(places[index], '^[^%z]*')
  ids[index] = string.sub(last, 15)
end
return reply({ ids = ids, last = isCut and last or nil, expiring = unneeded })
`;

/** Reading journals and streams in pages. */
export const paging = [
  String.raw`local MAX_PAGE_ITEMS, FIRST_RUN = 65536, 4`,
  // Reads the fields from a place on: at most 'limit' values of together 'budget' bytes, but at least
  // 'least' values. The first command reads few, unless the whole collection of 'total' bytes is
  // small. The size of the values so far decides how many the next one reads, so few are dropped.
  String.raw`local function page(key, fieldAt, from, limit, budget, least, total)
  local values, bytes, run = {}, 0, total <= budget and MAX_ARGUMENTS or FIRST_RUN
  while #values < limit do
    local fields, first = {}, from + #values
    for place = first, first + math.min(run, limit - #values, MAX_ARGUMENTS) - 1 do append(fields, fieldAt(place)) end
    for _, text in ipairs(call('HMGET', key, unpack(fields))) do
      local size = text and wireSize(text)
      bytes = bytes + (size or 0)
      if not text or (#values >= least and bytes > budget) then return values end
      append(values, value(text, size))
    end
    run = math.max(1, math.floor((budget - bytes) / (bytes / #values + 1)))
  end
  return values
end

local function journalPage(row, after, limit, budget, least)
  local function fieldAt(place) return digits(place + 1) end
  local most = math.min(limit, row.entries - after)
  local entries = page(keyOf(row.id, 'workflow'), fieldAt, after, most, budget, least, row.bytes)
  return { after = after, entries = entries, more = after + #entries < row.entries }
end`,
].join("\n");

/** Reads workflows, as many as fit into one answer. Also the second half of a list. */
export const readWorkflowsMain = [
  // About the most bytes of values in an answer.
  String.raw`local MAX_ANSWER_BYTES = 4194304

local ids, found, count = request.workflowIds, {}, 0
while count < #ids and (count == 0 or answered < MAX_ANSWER_BYTES) do
  count = count + 1
  local row, texts = loadShown(ids[count], request.values and #SHOWN or 2)
  if row then
    local shown = record(row, unpack(texts))
    if request.now then shown.now = time() end
    if request.unread then shown.unread = tonumber(read(hashOf(row.id, 'inbox'), 'last') or '0') - row.received end
    append(found, shown)
  end
end
return reply({ workflows = found, read = count })`,
].join("\n");

/** Reads a page of a journal. */
export const readJournalMain = String.raw`
local row = load(own)
if not row then return reply({ after = 0, entries = {}, more = false }) end
return reply(journalPage(row, math.max(0, request.after), math.min(request.limit, MAX_PAGE_ITEMS), MAX_PAGE_BYTES, 1))
`;

/** Reads an event, the status of its workflow and, if asked for, the time. */
export const readEventMain = String.raw`
want(hashOf(own, 'workflow'), 'row', 'e:' .. request.key)
local row, event = load(own), eventOf(own, request.key)
return reply({
  status = row and row.status or cjson.null,
  event = event and { version = event.version, value = value(event.text) } or cjson.null,
  now = request.now and time() or nil,
})
`;

/** Reads a page of a stream and the status of its workflow. */
export const readStreamMain = String.raw`
want(hashOf(own, 'workflow'), 'row', 't:' .. request.key)
local row, tail, isClosed = load(own), streamOf(own, request.key)
local function fieldAt(place) return placeField(place, request.key) end
local limit = math.min(request.limit, tail - request.from, MAX_PAGE_ITEMS)
local total = row and row.streamBytes or 0
local values = page(keyOf(own, 'streams'), fieldAt, request.from, limit, MAX_PAGE_BYTES, 1, total)
return reply({ status = row and row.status or cjson.null, tail = tail, closed = isClosed, values = values })
`;

/**
 * The first half of a list: finds the next workflows in the indexes. It touches no workflow. It also
 * takes some expired workflows out of the indexes.
 */
export const listMain = [
  String.raw`if request.trims or request.retention then
  trim(100)
  writeAll()
end`,
  // The next places of an index. In an index by name, a place begins with the name and a NUL.
  String.raw`local name, from = request.name, request.after
local prefix = name and 'n' .. name .. '\0' or 'i'
local first = from and '(' .. prefix .. from .. (name and '' or '\1') or '[' .. prefix
local last = name and '(n' .. name .. '\1' or '(j'`,
  // Every locale orders digits in the same way, and most places differ in the first 14.
  String.raw`local function isPlaceBefore(one, other)
  local left, right = string.sub(one, 1, 14), string.sub(other, 1, 14)
  if left ~= right then return left < right end
  return isBefore(one, other)
end`,
  // A filter leaves out many places, so that a request reads more of them.
  String.raw`local isFiltered = request.idPrefix or request.due
local most = isFiltered and math.max(request.limit, 5000) or request.limit`,
  // The places without the names of their workflows: what is left is unique.
  String.raw`local places, members, isCut = {}, {}, false
for _, index in ipairs(request.indexes) do
  local found = call('ZRANGEBYLEX', sharedKey(index), first, last, 'LIMIT', '0', digits(most))
  isCut = isCut or #found == most
  for _, found in ipairs(found) do
    local place = string.match(found, '^[^%z]*', #prefix + 1)
    append(places, place)
    members[place] = name and string.sub(place, 15) .. '\0' .. name or string.sub(found, #prefix + 15)
  end
end
table.sort(places, isPlaceBefore)`,
  // If several indexes were read in part, only the first places of the merged list are known to be next.
  String.raw`local ids, cut = {}, math.min(#places, most)
for index = 1, request.due and cut or 0 do want(DUE, members[places[index]]) end
local function isWanted(place)
  local id = string.sub(place, 15)
  if request.idPrefix and string.sub(id, 1, #request.idPrefix) ~= request.idPrefix then return false end
  local score = request.due and dueScore(members[place])
  return not request.due or (score and (score <= now or (score >= HELD and score - HELD <= now)))
end
for index = 1, cut do
  if isWanted(places[index]) then append(ids, string.sub(places[index], 15)) end
end
return reply({ ids = ids, last = isCut and places[cut] or nil, expiring = unneeded })`,
].join("\n");

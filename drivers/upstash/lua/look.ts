/**
 * What one workflow has, for people who look into it. A look first asks for the names of all fields
 * of a hash, because no field says which others there are.
 */
export const look = [
  String.raw`local row = load(own)
if not row then return reply({ status = cjson.null, items = {}, more = false }) end`,
  // The parts behind a prefix of the names of fields.
  String.raw`local function namesOf(kind, pattern)
  local found = {}
  for _, name in ipairs(call('HKEYS', keyOf(own, kind))) do append(found, string.match(name, pattern)) end
  return found
end`,
  // The items of a page, from sorted places. 'show' reads the item at a place, or returns nil for none.
  // 'wantAt' names the fields that it needs: few at first, because values may be large.
  String.raw`local function page(places, wantAt, show)
  local items, run, wanted = {}, 4, 0
  for index, place in ipairs(places) do
    if index > wanted then
      for next = index, math.min(index + run - 1, #places) do wantAt(places[next]) end
      wanted, run = index + run - 1, math.min(run * 4, MAX_ARGUMENTS)
    end
    if #items == request.limit or (#items > 0 and answered > MAX_PAGE_BYTES) then
      return reply({ status = row.status, items = items, more = true })
    end
    append(items, show(place))
  end
  return reply({ status = row.status, items = items, more = false })
end

local hash = hashOf(own, 'workflow')`,
].join("\n");

/** Reads a page of a journal, with open entries. */
export const readHistoryMain = String.raw`
local positions, entries = {}, {}
for _, text in ipairs(namesOf('workflow', '^p:(%d+)$')) do
  local position = tonumber(text)
  append(positions, position > (request.after or -1) and position or nil)
end
table.sort(positions, function(a, b) return a < b end)
for index = 1, math.min(#positions, request.limit) do want(hash, 'p:' .. digits(positions[index])) end
local function placeOf(position) return read(hash, 'p:' .. digits(position)) end
local function wantEntry(position)
  if #entries < request.limit and tonumber(placeOf(position)) then want(hash, placeOf(position)) end
end
return page(positions, wantEntry, function(position)
  local text = placeOf(position)
  if tonumber(text) then return { entry = value(read(hash, text)) } end
  local deadline, attempts, label, startedAt = parseOpen(text)
  return { position = position, label = label, startedAt = startedAt, attempts = attempts, deadline = deadline }
end)
`;

/** Lists messages: those that wait are in the inbox, and the journal has the others. */
export const listMessagesMain = String.raw`
local messages, inbox = {}, inboxOf(own)
local function add(message, topic)
  local isWanted = (not request.topic or topic == request.topic) and message.number > (request.after or 0)
  append(messages, isWanted and message or nil)
end
if request.state ~= 'received' then
  local fields = namesOf('inbox', '^(%d+:.*)$')
  for _, field in ipairs(fields) do want(inbox, field) end
  for _, field in ipairs(fields) do
    local message = parseMessage(read(inbox, field))
    message.topic = string.match(field, '^%d+:(.*)$')
    add(message, message.topic)
  end
end
if request.state ~= 'unread' then
  eachEntry(row, function(head, _, text)
    if head[3] == 'message' then add({ number = head[10][1], entry = text }, head[5]) end
  end)
end
table.sort(messages, function(a, b) return a.number < b.number end)
return page(messages, function() end, function(message)
  if message.entry then return { entry = value(message.entry) } end
  return {
    number = message.number, sentAt = message.at, messageId = message.messageId, topic = message.topic,
    dedupeKey = message.dedupeKey, value = value(message.text), received = cjson.null,
  }
end)
`;

/** Lists events or streams, by the bytes of their keys. */
const listChannelsMain = String.raw`
local places = {}
for _, key in ipairs(namesOf('workflow', '^' .. KIND .. ':(.*)$')) do
  append(places, (not request.after or isBefore(request.after, key)) and key or nil)
end
table.sort(places, isBefore)
return page(places, function(key) want(hash, KIND .. ':' .. key) end, function(key)
  if KIND == 't' then
    local tail, isClosed, at = streamOf(own, key)
    return { key = key, length = tail, closed = isClosed, updatedAt = at }
  end
  local event = eventOf(own, key)
  return { key = key, version = event.version, value = value(event.text), updatedAt = event.updatedAt }
end)
`;

/** Lists events. */
export const listEventsMain = `local KIND = 'e'\n${listChannelsMain}`;

/** Lists streams. */
export const listStreamsMain = `local KIND = 't'\n${listChannelsMain}`;

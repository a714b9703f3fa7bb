/**
 * The streams and events of a workflow: a hash for each kind. Streams: `tKEY` -> the tail and whether it is
 * closed, `PLACE:KEY` -> a value. Events: `nKEY` -> the version, the instant of the first, and the bytes;
 * `vKEY` -> the value.
 */
export const parseStream = String.raw`
local function parseStream(text)
  local tail, closed = string.match(text or '0', '^(%d+)(c?)$')
  return tonumber(tail), closed == 'c'
end

local function streamField(key, place)
  return digits(place) .. ':' .. key
end
`;

/** Writing streams and events. */
export const streams = String.raw`
-- By key: the streams of the request.
local streams = {}
local addedValues = {}

local function openStreams()
  local fields = {}
  for index, key in ipairs(request.streams) do
    fields[index] = 't' .. key
  end
  readFields(keyOf(own, 'streams'), fields, function(index, text)
    local key = request.streams[index]
    streams[key] = { key = key, isNew = not text }
    streams[key].tail, streams[key].isClosed = parseStream(text)
  end)
end

local function appendValue(row, stream, text)
  local field = streamField(stream.key, stream.tail)
  append(addedValues, field, text)
  row.streamBytes = row.streamBytes + #field + #text
  stream.tail = stream.tail + 1
  stream.isChanged = true
end

local function writeStreams(row)
  for _, stream in pairs(streams) do
    if stream.isChanged then
      append(addedValues, 't' .. stream.key, digits(stream.tail) .. (stream.isClosed and 'c' or ''))
      row.streamBytes = row.streamBytes + (stream.isNew and #stream.key + 18 or 0)
    end
  end
  callWith('HSET', keyOf(own, 'streams'), addedValues)
end

-- By key: the events that the request sets.
local events = {}

local function openEvents()
  local keys, fields = {}, {}
  for _, op in ipairs(request.operations) do
    if op.type == 'setEvent' and not events[op.key] then
      events[op.key] = {}
      append(keys, op.key)
      append(fields, 'n' .. op.key)
    end
  end
  readFields(keyOf(own, 'events'), fields, function(index, text)
    local version, at, bytes = string.match(text or '0:0:0', '^(%d+):(%d+):(%d+)$')
    local event = events[keys[index]]
    event.version, event.at, event.bytes = tonumber(version), tonumber(at), tonumber(bytes)
    event.planned = event.bytes
  end)
end

-- The bytes of an event, both fields.
local function eventSize(key, text)
  return 2 * #key + #text + 48
end

local function writeEvent(row, key, text)
  local event = events[key]
  local bytes = eventSize(key, text)
  row.eventBytes = row.eventBytes + bytes - event.bytes
  event.version, event.bytes = event.version + 1, bytes
  event.at = event.version == 1 and now or event.at
  local head = digits(event.version) .. ':' .. digits(event.at) .. ':' .. digits(bytes)
  call('HSET', keyOf(own, 'events'), 'n' .. key, head, 'v' .. key, text)
end
`;

/**
 * The streams and events of a workflow: a hash for each kind. Streams: `tKEY` -> the tail and
 * whether it is closed, `PLACE:KEY` -> a value. Events: `KEY` -> the version, the instant of the
 * first, and the value.
 */
export const parsing = String.raw`
local function parseStream(text)
  local tail, closed = string.match(text or '0', '^(%d+)(c?)$')
  return tonumber(tail), closed == 'c'
end

local function streamField(key, place)
  return digits(place) .. ':' .. key
end

local function parseEvent(text)
  local version, at, value = string.match(text, '^(%d+):(%d+):(.*)$')
  return { version = tonumber(version), at = tonumber(at), text = value }
end
`;

/** Writing streams and events. The row counts their bytes. */
export const published = String.raw`
-- By key: the streams of the request.
local streams = {}
local addedValues = {}

local function openStreams()
  local keys, fields = {}, {}
  for _, op in ipairs(request.operations) do
    if (op.type == 'writeStream' or op.type == 'closeStream') and not streams[op.key] then
      streams[op.key] = { key = op.key }
      append(keys, op.key)
      append(fields, 't' .. op.key)
    end
  end
  readFields(keyOf(own, 'streams'), fields, function(index, text)
    local stream = streams[keys[index]]
    stream.isNew, stream.tail, stream.isClosed = not text, parseStream(text)
  end)
end

local function changeStream(row, stream)
  if stream.isNew and not stream.isChanged then
    row.streamBytes = row.streamBytes + #stream.key + 18
  end
  stream.isChanged = true
end

local function appendValue(row, stream, text)
  local field = streamField(stream.key, stream.tail)
  append(addedValues, field, text)
  row.streamBytes = row.streamBytes + #field + #text
  stream.tail = stream.tail + 1
  changeStream(row, stream)
end

local function writeStreams()
  for key, stream in pairs(streams) do
    if stream.isChanged then
      append(addedValues, 't' .. key, digits(stream.tail) .. (stream.isClosed and 'c' or ''))
    end
  end
  callWith('HSET', keyOf(own, 'streams'), addedValues)
end

-- By key: the events that the request sets.
local events = {}

local function openEvents()
  local keys = {}
  for _, op in ipairs(request.operations) do
    if op.type == 'setEvent' and not events[op.key] then
      events[op.key] = { version = 0, at = now, bytes = 0 }
      append(keys, op.key)
    end
  end
  readFields(keyOf(own, 'events'), keys, function(index, text)
    if text then
      events[keys[index]] = parseEvent(text)
      events[keys[index]].bytes = #keys[index] + #text
    end
  end)
end

local function setEvent(row, key, text)
  local event = events[key]
  event.version, event.text = event.version + 1, text
  event.stored = digits(event.version) .. ':' .. digits(event.at) .. ':' .. text
  row.eventBytes = row.eventBytes - event.bytes + #key + #event.stored
  event.bytes = #key + #event.stored
end

-- An event of any workflow, after the operations so far.
local function eventOf(id, key)
  local event = id == own and events[key]
  if event then
    return event.version > 0 and event
  end
  local text = call('HGET', keyOf(id, 'events'), key)
  return text and parseEvent(text)
end

local function writeEvents()
  local fields = {}
  for key, event in pairs(events) do
    if event.stored then
      append(fields, key, event.stored)
    end
  end
  callWith('HSET', keyOf(own, 'events'), fields)
end
`;

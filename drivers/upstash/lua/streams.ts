/** What is known of a stream: its tail, and whether it was closed. */
export const parseStream = String.raw`
local function parseStream(text)
  local tail, closed = string.match(text or '0', '^(%d+)(c?)$')
  return tonumber(tail), closed == 'c'
end
`;

/** The streams of a workflow: segments for each key, and one hash that knows where they end. */
export const streams = String.raw`
-- Loads where the streams of the request end.
local function openStreams(own)
  local keys = {}
  for index, stream in ipairs(request.streams) do
    keys[index] = stream.key
    stream.writes = 0
    stream.lists = {}
  end
  readFields(KEYS[own.streams], keys, function(index, text)
    local stream = request.streams[index]
    stream.tail, stream.isClosed = parseStream(text)
  end)
end

local function planStream(stream)
  if stream.writes > 0 then
    for number = segmentOf(stream.tail), segmentOf(stream.tail + stream.writes - 1) do
      segment(stream, number)
    end
  end
end

local function append(stream, text)
  local number = segmentOf(stream.tail)
  stream.lists[number] = stream.lists[number] or {}
  table.insert(stream.lists[number], text)
  stream.tail = stream.tail + 1
  stream.isChanged = true
end

local function writeStreams(own)
  local fields = {}
  for _, stream in ipairs(request.streams) do
    for number, texts in pairs(stream.lists) do
      call('RPUSH', segment(stream, number), unpack(texts))
    end
    if stream.isChanged then
      fields[#fields + 1] = stream.key
      fields[#fields + 1] = digits(stream.tail) .. (stream.isClosed and 'c' or '')
    end
  end
  callWith('HSET', KEYS[own.streams], fields)
end
`;

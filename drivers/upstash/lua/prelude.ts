/** What every script begins with. */
export const prelude = String.raw`
local call = redis.call
local request = cjson.decode(ARGV[1])

-- cjson writes 14 digits of a number: instants never need more.
local LATEST = 99999999999999

-- A number as text. Redis would write 17 digits of it, Upstash would cut it off.
local function digits(number)
  return string.format('%.0f', number)
end

-- An answer is a list of texts: JSON, then the values that it refers to by their place. Each begins with '=', so that no client takes it for
-- JSON, a number or null.
local answer = { '' }
local answered = 0

-- How many bytes a text takes in an answer: JSON escapes quotes, backslashes and control characters.
local function wireSize(text)
  local _, escaped = string.gsub(text, '["\\]', '')
  local _, controls = string.gsub(text, '%c', '')
  return #text + escaped + 5 * controls
end

local function value(text, size)
  answered = answered + (size or wireSize(text))
  answer[#answer + 1] = '=' .. text
  return #answer - 1
end

local function reply(meta)
  answer[1] = '=' .. cjson.encode(meta)
  return answer
end

-- Calls with many arguments are made in portions that fit Lua's stack.
local PORTION = 1000

local function portions(list, use)
  for first = 1, #list, PORTION do
    use({ unpack(list, first, math.min(first + PORTION - 1, #list)) }, first - 1)
  end
end

local function callWith(command, key, list)
  portions(list, function(portion)
    call(command, key, unpack(portion))
  end)
end

-- The fields of a hash, each with what it has: false for nothing.
local function readFields(key, fields, read)
  portions(fields, function(portion, before)
    for index, text in ipairs(call('HMGET', key, unpack(portion))) do
      read(before + index, text)
    end
  end)
end
`;

/** A range of keys. */
export const ranges = String.raw`
local function eachOf(whole, act)
  for index = whole.at, whole.at + whole.count - 1 do
    act(KEYS[index])
  end
end
`;

/** Keys that may not have been declared, because only the store knows how far lists reach. */
export const segments = String.raw`
local SEGMENT_SIZE = 64
local missing = false

local function segmentOf(place)
  return math.floor(place / SEGMENT_SIZE)
end

-- The key of a segment. A script looks for all that it needs before its first write; where one is missing it answers with what is true instead.
local function segment(range, number)
  local offset = number - range.from
  if offset >= 0 and offset < range.count then
    return KEYS[range.at + offset]
  end
  missing = true
end
`;

/** Telling those that watch, whether or not there are any: to find out would be a command as well. */
export const hints = String.raw`
-- A line may not be too long for those who read it.
local TARGETS_OF_A_HINT = 50
local targets = {}
local isTarget = {}

local function changed(target)
  if not isTarget[target] then
    isTarget[target] = true
    targets[#targets + 1] = target
  end
end

local function publish()
  for first = 1, #targets, TARGETS_OF_A_HINT do
    local last = math.min(first + TARGETS_OF_A_HINT - 1, #targets)
    call('PUBLISH', request.channel, cjson.encode({ unpack(targets, first, last) }))
  end
end
`;

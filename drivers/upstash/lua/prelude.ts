/** What every script begins with. */
export const prelude = String.raw`
local call = redis.call
local request = cjson.decode(ARGV[1])

-- The latest instant. cjson writes 14 digits of a number, and instants never need more.
local LATEST = 99999999999999

-- A key that all workflows share.
local function sharedKey(name)
  return KEYS[request.keys[name]]
end

-- A key of one workflow.
local function keyOf(workflow, kind)
  return KEYS[workflow[kind]]
end

-- A number as text. Redis would write 17 digits of it, Upstash would truncate it.
local function digits(number)
  return string.format('%.0f', number)
end

-- An answer is a list of texts: a JSON document, then the values that it refers to by place. Each begins with
-- '=', so that no client takes it for JSON, a number or null.
local answer = { '' }
local answered = 0

-- The bytes of a text in an answer. JSON escapes quotes, backslashes and control characters.
local function wireSize(text)
  local _, escaped = string.gsub(text, '["\\]', '')
  local _, controls = string.gsub(text, '%c', '')
  return #text + escaped + 5 * controls
end

-- Adds a value to the answer, and returns its place.
local function value(text, size)
  answered = answered + (size or wireSize(text))
  answer[#answer + 1] = '=' .. text
  return #answer - 1
end

local function reply(document)
  answer[1] = '=' .. cjson.encode(document)
  return answer
end

local function append(list, ...)
  for _, item in ipairs({ ... }) do
    list[#list + 1] = item
  end
end

local function setOf(list)
  local set = {}
  for _, item in ipairs(list) do
    set[item] = true
  end
  return set
end

-- Lua's stack limits the arguments of one call.
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

-- Reads fields of a hash, each with its index. An absent field is false.
local function readFields(key, fields, read)
  portions(fields, function(portion, before)
    for index, text in ipairs(call('HMGET', key, unpack(portion))) do
      read(before + index, text)
    end
  end)
end

-- The first collection that would outgrow its key.
local overflow

local function checkRoom(what, id, bytes)
  if bytes > request.maxBytes then
    overflow = overflow or { what = what, id = id, bytes = bytes }
  end
end
`;

/** Hints for watchers. Publishing without looking for watchers first saves a command. */
export const hints = String.raw`
-- Readers limit the length of a line.
local TARGETS_OF_A_HINT = 50
local targets = {}
local isTarget = {}

local function changed(target)
  if not isTarget[target] then
    isTarget[target] = true
    append(targets, target)
  end
end

local function publish()
  for first = 1, #targets, TARGETS_OF_A_HINT do
    local last = math.min(first + TARGETS_OF_A_HINT - 1, #targets)
    call('PUBLISH', request.channel, cjson.encode({ unpack(targets, first, last) }))
  end
end
`;

/** Every script begins with this. */
export const prelude = String.raw`
local call = redis.call
local request = cjson.decode(ARGV[1])

-- The latest instant. cjson writes 14 digits of a number, and instants never need more.
local LATEST = 99999999999999

-- A key that all workflows share. The request declares each key that the script touches.
local function sharedKey(name)
  return request.prefix .. '/' .. name
end

-- A key of one workflow.
local function keyOf(id, kind)
  return request.prefix .. '/' .. kind .. '/' .. id
end

-- A number as text. Redis would write 17 digits of it, and Upstash would truncate it.
local function digits(number)
  return string.format('%.0f', number)
end

-- An answer is a list of texts: a JSON document, then the values. Each begins with '=', so that no
-- client takes it for JSON, a number or null.
local answer = { '' }
local answered = 0

-- The bytes of a text in an answer. JSON escapes quotes, backslashes and control characters.
local function wireSize(text)
  local _, escaped = string.gsub(text, '["\\]', '')
  local _, controls = string.gsub(text, '%c', '')
  return #text + escaped + 5 * controls
end

-- Adds a value to the answer. Returns what stands for it in the document.
local function value(text, size)
  answered = answered + (size or wireSize(text))
  answer[#answer + 1] = '=' .. text
  return { at = #answer - 1 }
end

-- A value, or null if there is none.
local function optional(text)
  return text and value(text) or cjson.null
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

-- Lua's stack limits the number of arguments of one call.
local MAX_ARGUMENTS = 1000

local function portions(list, use)
  for first = 1, #list, MAX_ARGUMENTS do
    use({ unpack(list, first, math.min(first + MAX_ARGUMENTS - 1, #list)) }, first - 1)
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

-- Hints for watchers. Scripts publish without checking for watchers, which saves a command.
local targets = {}
local isTarget = {}

local function changed(target)
  if not isTarget[target] then
    isTarget[target] = true
    append(targets, target)
  end
end

-- Readers limit the length of a line.
local MAX_HINT_TARGETS = 50

local function publish()
  for first = 1, #targets, MAX_HINT_TARGETS do
    local last = math.min(first + MAX_HINT_TARGETS - 1, #targets)
    call('PUBLISH', request.prefix .. ':hints', cjson.encode({ unpack(targets, first, last) }))
  end
end
`;

-- Tables, strings, closures and coroutines with an eager collector: prints checksums only.
collectgarbage("setpause", 110)
local function checksum(text)
    local sum = 5381
    for i = 1, #text do sum = (sum * 33 + text:byte(i)) % 4294967296 end
    return sum
end
local words = {}
for i = 1, 200000 do
    local word = "w" .. (i * 7919 % 5003)
    local entry = words[word] or { count = 0, places = {} }
    entry.count = entry.count + 1
    entry.places[#entry.places + 1] = i
    words[word] = entry
end
local keys = {}
for word in pairs(words) do keys[#keys + 1] = word end
table.sort(keys)
local parts = {}
for _, word in ipairs(keys) do
    parts[#parts + 1] = word .. "=" .. words[word].count .. "@" .. table.concat(words[word].places, ",", 1, 5)
end
print("words", #keys, checksum(table.concat(parts, ";")))
local total = 0
for i = 1, 20000 do
    local step = coroutine.wrap(function(n) for k = 1, n do coroutine.yield({ k, tostring(k) }) end end)
    local last = step(i % 5 + 1)
    total = total + last[1] + #last[2]
end
print("coroutines", total)
local grown = ""
for i = 1, 4000 do grown = grown .. string.char(33 + i % 90) end
print("grown", #grown, checksum(grown))

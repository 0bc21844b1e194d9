-- Tables, strings, closures and coroutines; prints checksums.
local function checksum(text)
    local sum = 5381
    for i = 1, #text, 7 do sum = (sum * 33 + text:byte(i)) % 4294967296 end
    return sum
end

local function index_words()
    local places = {}
    for i = 1, 250000 do
        local word = "word" .. (i * 7919 % 6007)
        local list = places[word]
        if not list then
            list = {}
            places[word] = list
        end
        list[#list + 1] = i
    end
    local lines = {}
    for word, list in pairs(places) do lines[#lines + 1] = word .. "=" .. table.concat(list, ",") end
    table.sort(lines)
    local text = table.concat(lines, "\n")
    print("words", #lines, checksum(text))
    return text
end

local function rewrite(text)
    local numbers = 0
    local changed = text:gsub("%d+", function(digits)
        numbers = numbers + 1
        return digits:reverse() .. "."
    end)
    print("patterns", numbers, checksum(changed))
end

local function run_closures()
    local steps = {}
    for i = 1, 60000 do
        local text = ("x"):rep(i % 90)
        steps[i] = function(prefix) return prefix .. text:sub(1, i % 3) end
    end
    local sum = 0
    for _, step in ipairs(steps) do sum = sum + #step("ab") end
    print("closures", sum)
end

local function run_coroutines()
    local total = 0
    for i = 1, 20000 do
        local step = coroutine.wrap(function(n)
            for k = 1, n do coroutine.yield({ k, tostring(k + i) }) end
        end)
        local last = step(i % 5 + 1)
        total = total + last[1] + #last[2]
    end
    print("coroutines", total)
end

local function build_points()
    local Point = {}
    Point.__index = Point
    function Point.__add(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Point) end
    local sum = setmetatable({ x = 0, y = 0 }, Point)
    for i = 1, 400000 do sum = sum + setmetatable({ x = i, y = -i }, Point) end
    print("points", sum.x, sum.y)
end

rewrite(index_words())
run_closures()
run_coroutines()
build_points()

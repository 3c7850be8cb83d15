-- SPDX-License-Identifier: Apache-2.0
-- The request streams of experiments/cost_per_request, for wrk:
--
--   wrk ... -s requests.lua URL -- KIND TENANTS_FILE SEED FIRST_DAY DAYS
--
-- TENANTS_FILE is what experiments/seed writes: a line a tenant, separated by tabs: token, three
-- accounts, categories. Requests go round the tenants in order. Everything that can be is made
-- before the first request, because this runs on the core that is measured.

local tenants, days = {}, {}

local function read_tenants(path)
    for line in io.lines(path) do
        local fields = {}
        for field in line:gmatch("[^\t]+") do
            fields[#fields + 1] = field
        end
        tenants[#tenants + 1] = {
            head = "Host: " .. wrk.host .. ":" .. wrk.port ..
                "\r\nAccept: application/json\r\nAuthorization: Bearer " .. fields[1] .. "\r\n",
            accounts = {fields[2], fields[3], fields[4]},
            category = fields[5]:match("[^,]+"),
        }
    end
end

local function read_days(first, count)
    local year, month, day = first:match("(%d+)-(%d+)-(%d+)")
    local noon = os.time({year = year, month = month, day = day, hour = 12})
    for i = 0, count - 1 do
        days[i + 1] = os.date("%Y-%m-%d", noon + i * 86400)
    end
end

local function round_of(texts)
    local at = 0
    return function()
        at = at % #texts + 1
        return texts[at]
    end
end

local function get(path)
    local texts = {}
    for i, tenant in ipairs(tenants) do
        texts[i] = "GET " .. path .. " HTTP/1.1\r\n" .. tenant.head .. "\r\n"
    end
    return round_of(texts)
end

-- From seven weeks, which hold more than a page of each tenant, to all there is.
local function windows()
    local next_tenant, random, shortest = round_of(tenants), math.random, 49
    return function()
        local first = random(1, #days - shortest)
        local last = random(first + shortest, #days)
        return "GET /api/transactions?start_date=" .. days[first] .. "&end_date=" .. days[last] ..
            " HTTP/1.1\r\n" .. next_tenant().head .. "\r\n"
    end
end

-- Of one length all of them, so that Content-Length is a constant.
local function posts(seed)
    local texts, turn, format = {}, 0, string.format
    for i, tenant in ipairs(tenants) do
        for j, account in ipairs(tenant.accounts) do
            local body = '{"account_id":"' .. account .. '","category_id":"' .. tenant.category ..
                '","date":"' .. days[#days] .. '","amount":{"currency":"BRL","value":-'
            local tail = format('},"memo":"custo %06d ', seed % 1000000)
            local length = #body + 6 + #tail + 9 + 2
            texts[(j - 1) * #tenants + i] = {
                "POST /api/transactions HTTP/1.1\r\n" .. tenant.head ..
                    "Content-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n" ..
                    body, tail}
        end
    end
    local next_text = round_of(texts)
    return function()
        local text = next_text()
        turn = turn + 1
        return text[1] .. 100000 + turn % 900000 .. text[2] .. format("%09d", turn) .. '"}'
    end
end

local kinds = {
    cached = function() return get("/api/transactions") end,
    uncached = windows,
    accounts = function() return get("/api/accounts") end,
    post = posts,
    post_one_tenant = posts,
}

function init(arguments)
    local seed = tonumber(arguments[3])
    read_tenants(arguments[2])
    read_days(arguments[4], tonumber(arguments[5]))
    if arguments[1] == "post_one_tenant" then
        tenants = {tenants[1]}
    end
    math.randomseed(seed)
    request = kinds[arguments[1]](seed)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests": %d, "seconds": %.6f, "connect": %d, "read": %d, "write": %d, ' ..
        '"status": %d, "timeout": %d, "bytes": %d, "p50_ms": %.3f, "p95_ms": %.3f, ' ..
        '"p99_ms": %.3f, "max_ms": %.3f}\n', summary.requests, summary.duration / 1e6,
        errors.connect, errors.read, errors.write, errors.status, errors.timeout, summary.bytes,
        latency:percentile(50) / 1000, latency:percentile(95) / 1000,
        latency:percentile(99) / 1000, latency.max / 1000))
end

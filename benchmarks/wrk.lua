-- What wrk sends: requests made beforehand, one after another, from a place of its own in each
-- thread. Arguments: the requests, the status that counts as answered, the mean pause in ms, and
-- where to keep a sample of the answers.
local SAMPLED = 20
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  requests = dofile(args[1])
  expected = tonumber(args[2])
  pause = tonumber(args[3])
  samples = io.open(args[4] .. "." .. number, "w")
  place = number * 97
  answered, otherwise, seen = 0, 0, 0
  math.randomseed(number + 1)
end

function request()
  place = place + 1
  return requests[place % #requests + 1]
end

-- Asked only where there is a pause: defined for all, it would cost each request a timer.
if tonumber(os.getenv("PAUSED") or 0) > 0 then
  function delay()
    return math.floor(-math.log(1 - math.random()) * pause + 0.5)
  end
end

function response(status, headers, body)
  if status == expected then
    answered = answered + 1
  else
    otherwise = otherwise + 1
  end
  seen = seen + 1
  if seen % SAMPLED == 1 or status ~= expected and otherwise <= SAMPLED then
    samples:write(status, " ", (body:gsub("\n", " ")), "\n")
    samples:flush()
  end
end

function done(summary, latency, requests)
  local answered, otherwise = 0, 0
  for _, thread in ipairs(threads) do
    answered = answered + thread:get("answered")
    otherwise = otherwise + thread:get("otherwise")
  end
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format(
    'MEASURED {"answered": %d, "otherwise": %d, "broken": %d, "late": %d, "seconds": %.6f, ' ..
    '"p50_ms": %.3f, "p90_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    answered, otherwise, broken, summary.errors.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3))
end

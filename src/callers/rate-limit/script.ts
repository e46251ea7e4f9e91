/**
 * What `draw` in bucket.ts does, done by Redis itself by its own clock: takes one token out of the bucket KEYS[1] of
 * quota ARGV[1] and window ARGV[2] (ms). It answers 1 when allowed, else 0, and the ms until the bucket is full again.
 *
 * Times count from 2023-11, which leaves more digits for fractions of a ms; %.17g because Lua writes 14 digits only.
 * A bucket is kept until it is full, because that is what a missing one is. What is no number counts as missing.
 */
export const bucketScript = `
local clock = redis.call('TIME')
local now = (clock[1] - 1700000000) * 1000 + clock[2] / 1000
local window = tonumber(ARGV[2])
local step = window / tonumber(ARGV[1])
local before = tonumber(redis.pcall('GET', KEYS[1])) or now
before = math.min(math.max(before, now), now + window)
local after = before + step
if after - now > window + math.min(step / 1024, 0.1) then
  return {0, string.format('%.17g', before - now)}
end
redis.call('SET', KEYS[1], string.format('%.17g', after), 'PX', math.ceil(after - now) + 1)
return {1, string.format('%.17g', after - now)}
`;

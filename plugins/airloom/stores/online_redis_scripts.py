"""What the Redis online store lets the server do at once: each script is short, whatever the size of a view.

A view's keys are `meta` (owner, newest), `lock`, `layouts`, `rows`, `staging` and `pending`. A row is event time and
time known, 8 bytes each and big-endian, 2 bytes for the layout, and the features; an empty one stands for a removal.
"""

from __future__ import annotations

from typing import NamedTuple

FENCED = "FENCED"


class Script(NamedTuple):
    """A script and the keys that it is given, in order.

    Args:
        keys: The keys' last parts.
        text: The script.
    """

    keys: tuple[str, ...]
    text: str


_FENCE = f"""
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return redis.error_reply('{FENCED} another writer came') end
"""

#: ARGV token, lease in ms, layout. Becomes the owner; returns the layout's number.
ACQUIRE = Script(
    (
        "meta",
        "lock",
        "staging",
        "layouts",
    ),
    """
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('UNLINK', KEYS[3])
for number, layout in ipairs(redis.call('LRANGE', KEYS[4], 0, -1)) do
    if layout == ARGV[3] then return number - 1 end
end
return redis.call('RPUSH', KEYS[4], ARGV[3]) - 1
""",
)

#: ARGV token, lease in ms.
RENEW = Script(
    (
        "meta",
        "lock",
    ),
    f"""{_FENCE}
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
""",
)

#: ARGV token.
RELEASE = Script(
    (
        "meta",
        "lock",
        "staging",
    ),
    f"""{_FENCE}
redis.call('HDEL', KEYS[1], 'owner')
redis.call('UNLINK', KEYS[2], KEYS[3])
""",
)

#: Whoever owned the view owns it no longer. Returns whether it was free.
FORGET = Script(
    (
        "lock",
        "meta",
        "layouts",
        "rows",
        "staging",
        "pending",
    ),
    """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('UNLINK', unpack(KEYS))
return 1
""",
)

#: ARGV token, cursor, first, last. Returns the next cursor, and of each row between two event times its event time,
#: the length of its entity, and the entity: as one string, since a client takes long over many small ones.
WITHIN = Script(
    ("rows",),
    """
local page = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', 1000)
local first, last, found = tonumber(ARGV[3]), tonumber(ARGV[4]), {}
for at = 1, #page[2], 2 do
    local event = struct.unpack('>i8', page[2][at + 1])
    if event >= first and event <= last then
        found[#found + 1] = string.sub(page[2][at + 1], 1, 8)
        found[#found + 1] = struct.pack('>I4', #page[2][at])
        found[#found + 1] = page[2][at]
    end
end
return { page[1], table.concat(found) }
""",
)

#: ARGV token, then entities and rows in turn. Stages what is not older than what is there.
STAGE = Script(
    (
        "meta",
        "rows",
        "staging",
    ),
    f"""{_FENCE}
local entities = {{}}
for at = 2, #ARGV, 2 do entities[#entities + 1] = ARGV[at] end
local kept = redis.call('HMGET', KEYS[2], unpack(entities))
local staged = redis.call('HMGET', KEYS[3], unpack(entities))
local put = {{}}
for at, entity in ipairs(entities) do
    local row, other = ARGV[2 * at + 1], staged[at] or kept[at]
    local wins = row == '' or not other or other == ''
    if not wins then
        local event, known = struct.unpack('>i8i8', row)
        local other_event, other_known = struct.unpack('>i8i8', other)
        wins = event > other_event or event == other_event and known >= other_known
    end
    if wins then
        put[#put + 1] = entity
        put[#put + 1] = row
    end
end
if #put > 0 then redis.call('HSET', KEYS[3], unpack(put)) end
""",
)

#: ARGV token, newest event time, 1 where that may be older than before. What is staged becomes visible, at once.
COMMIT = Script(
    (
        "meta",
        "rows",
        "staging",
        "pending",
    ),
    f"""{_FENCE}
if ARGV[3] == '1' or tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], 'newest') or '0') then
    redis.call('HSET', KEYS[1], 'newest', ARGV[2])
end
if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('RENAME', KEYS[3], redis.call('EXISTS', KEYS[2]) == 1 and KEYS[4] or KEYS[2])
end
""",
)

#: ARGV token, cursor. Moves a page of what is visible already to where it stays.
MERGE = Script(
    (
        "meta",
        "rows",
        "pending",
    ),
    f"""{_FENCE}
local page = redis.call('HSCAN', KEYS[3], ARGV[2], 'COUNT', 1000)
local put = {{}}
for at = 1, #page[2], 2 do
    if page[2][at + 1] == '' then
        redis.call('HDEL', KEYS[2], page[2][at])
    else
        put[#put + 1] = page[2][at]
        put[#put + 1] = page[2][at + 1]
    end
    if #put == 2000 or at + 1 == #page[2] and #put > 0 then
        redis.call('HSET', KEYS[2], unpack(put))
        put = {{}}
    end
end
if page[1] == '0' then redis.call('UNLINK', KEYS[3]) end
return page[1]
""",
)

{{ config(order_by=['tenant_id', 'session_key']) }}
-- One row per session key (a session id, or a device without) in which events changed, with the stretch of
-- time to cut anew. With a session id that is all of it. Without, it reaches over every island (run of events without
-- a long silence) that a changed event lies in or within the timeout of: no event outside can feel the change.
{% set timeout = 'toIntervalMinute(' ~ var('session_timeout_minutes') ~ ')' %}
{% call changes() %}
with changed as (
    select
        tenant_id,
        session_key,
        timestamp
    from {{ ref('changed_events') }}
),

islands as {{ once() }} (
    select distinct
        tenant_id,
        session_key,
        island_start,
        island_end
    from {{ session_facts_before() }}
    where {{ among(['tenant_id', 'session_key'], ref('changed_events')) }}
),

-- Of a device, no more than two islands lie within the timeout of a moment, because more than that lies between any two:
-- the last that begins before it is over, and the first that ends after it began. So each event is looked up twice,
-- rather than joined with every island that its device ever had.
touched_islands as (
    select
        tenant_id,
        session_key,
        island_start,
        island_end
    from islands
    where not {{ is_derived('session_key') }}
    union all
    select
        islands.tenant_id as tenant_id,
        islands.session_key as session_key,
        islands.island_start as island_start,
        islands.island_end as island_end
    from changed
    asof join islands
        on
            changed.tenant_id = islands.tenant_id
            and changed.session_key = islands.session_key
            and changed.timestamp + {{ timeout }} >= islands.island_start
    where {{ is_derived('changed.session_key') }} and changed.timestamp - {{ timeout }} <= islands.island_end
    union all
    select
        islands.tenant_id as tenant_id,
        islands.session_key as session_key,
        islands.island_start as island_start,
        islands.island_end as island_end
    from changed
    asof join islands
        on
            changed.tenant_id = islands.tenant_id
            and changed.session_key = islands.session_key
            and changed.timestamp - {{ timeout }} <= islands.island_end
    where {{ is_derived('changed.session_key') }} and changed.timestamp + {{ timeout }} >= islands.island_start
),

stretches as (
    select tenant_id, session_key, timestamp as from_at, timestamp as to_at from changed
    union all
    select tenant_id, session_key, island_start as from_at, island_end as to_at from touched_islands
)

select
    tenant_id,
    session_key,
    min(from_at) as from_at,
    max(to_at) as to_at
from stretches
group by tenant_id, session_key
{% endcall %}

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

islands as (
    select distinct
        tenant_id,
        session_key,
        island_start,
        island_end
    from {{ session_facts_before() }}
    where {{ among(['tenant_id', 'session_key'], ref('changed_events')) }}
),

touched_islands as (
    select
        islands.tenant_id as tenant_id,
        islands.session_key as session_key,
        islands.island_start as island_start,
        islands.island_end as island_end
    from islands
    inner join changed on islands.tenant_id = changed.tenant_id and islands.session_key = changed.session_key
    where
        not {{ is_derived('islands.session_key') }}
        or (
            changed.timestamp >= islands.island_start - {{ timeout }}
            and changed.timestamp <= islands.island_end + {{ timeout }}
        )
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

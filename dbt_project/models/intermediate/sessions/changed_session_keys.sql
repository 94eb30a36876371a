{{ config(order_by=['tenant_id', 'session_key']) }}
-- One row per session key (a session id, or a device without) whose sessions can differ, with the stretch of time to
-- cut again. With a session id that is all of it: its own events changed, or those that it adopted. Without, it reaches
-- over every island (run of events without a long silence) that a changed event lies in or within the timeout of: no
-- event outside can feel the change. Of a device that has begun or ceased to send session ids it is all that it did.
{% set timeout = 'toIntervalMinute(' ~ var('session_timeout_minutes') ~ ')' %}
{% call changes() %}
with changed as (
    select
        tenant_id,
        session_key,
        timestamp
    from {{ ref('changed_events') }}
    where {{ is_derived('session_key') }} and distinct_id != ''
),

-- those that adopted events before, and those that do now
adopters as {{ once() }} (
    select
        tenant_id,
        arrayJoin(session_keys) as session_key
    from {{ ref('changed_device_days') }}
    union distinct
    select
        tenant_id,
        session_key
    from {{ ref('int_adopted_events') }}
    where {{ written_by_this_build() }}
),

sending as {{ once() }} (
    select distinct
        tenant_id,
        device_key as session_key
    from {{ ref('int_device_sessions') }}
    where {{ written_by_this_build() }}
),

silent as {{ once() }} (
    select distinct
        tenant_id,
        device_key as session_key
    from {{ ref('changed_device_sessions') }}
    where (tenant_id, device_key) not in (
        select tenant_id, device_key
        from {{ ref('int_device_sessions') }}
        where {{ among(['tenant_id', 'device_key'], ref('changed_device_sessions')) }}
    )
),

asked as {{ once() }} (
    select tenant_id, session_key from changed
    union distinct
    select tenant_id, session_key from adopters
    union distinct
    select tenant_id, session_key from sending
),

islands as {{ once() }} (
    select distinct
        tenant_id,
        session_key,
        island_start,
        island_end
    from {{ session_facts_before() }}
    where {{ among(['tenant_id', 'session_key'], 'asked') }}
),

-- Of a device, no more than two islands lie within the timeout of a moment, because more than that lies between any two:
-- the last that begins before it is over, and the first that ends after it began. So each event is looked up twice,
-- rather than joined with every island that its device ever had.
touched_islands as (
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
    where changed.timestamp - {{ timeout }} <= islands.island_end
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
    where changed.timestamp + {{ timeout }} >= islands.island_start
),

stretches as (
    select tenant_id, session_key, from_at, to_at
    from {{ ref('changed_sent_keys') }}
    union all
    select tenant_id, session_key, timestamp as from_at, timestamp as to_at
    from changed
    union all
    select tenant_id, session_key, island_start as from_at, island_end as to_at
    from touched_islands
    union all
    select tenant_id, session_key, island_start as from_at, island_end as to_at
    from islands
    where (tenant_id, session_key) in (adopters) or (tenant_id, session_key) in (sending)
    union all
    select tenant_id, session_key, timestamp as from_at, timestamp as to_at
    from {{ ref('int_events') }}
    where {{ among(['tenant_id', 'session_key'], 'silent') }}
)

select
    tenant_id,
    session_key,
    min(from_at) as from_at,
    max(to_at) as to_at
from stretches
group by tenant_id, session_key
{% endcall %}

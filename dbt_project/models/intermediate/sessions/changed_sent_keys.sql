{{ config(order_by=['tenant_id', 'session_key']) }}
-- One row per session id that events were sent with that came or went, with the stretch of time in which all of its
-- events lie, those that were there before as well as those that are there now: a session id is cut anew as a whole.
{% call changes() %}
with changed as (
    select
        tenant_id,
        session_key,
        timestamp
    from {{ ref('changed_events') }}
    where not {{ is_derived('session_key') }}
),

stretches as (
    select tenant_id, session_key, timestamp as from_at, timestamp as to_at
    from changed
    union all
    select tenant_id, session_key, island_start as from_at, island_end as to_at
    from {{ session_facts_before() }}
    where {{ among(['tenant_id', 'session_key'], 'changed') }}
)

select
    tenant_id,
    session_key,
    min(from_at) as from_at,
    max(to_at) as to_at
from stretches
group by tenant_id, session_key
{% endcall %}

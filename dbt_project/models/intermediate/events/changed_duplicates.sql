{{ config(
    order_by=['tenant_id', 'event_date', 'event_id'],
    query_settings={'optimize_aggregation_in_order': 1},
) }}
-- One row per event key that this build's loads contest: several versions in raw, or a version erased or withdrawn with
-- its load. Of the versions that stand the one received first is the event, and of those of which nobody says when that
-- was the one that was loaded last; this table says which it was before this build and which it is now. A pure function
-- of raw rows and ledger: running it again gives the same. Events with a single version, nearly all, never pass through
-- here.
{% set key = 'tenant_id, event_date, event_id' %}
with live_before as (
    select load_id from {{ ref('stg_loads') }} where table_name = 'events' and was_live
),

live_after as (
    select load_id from {{ ref('stg_loads') }} where table_name = 'events' and is_live
),

erased_rows as (
    select {{ key }}, load_id, line, was_erased, is_erased
    from {{ ref('stg_erased_rows') }}
    where table_name = 'events'
),

contested as (
    select {{ key }}
    from {{ ref('stg_events') }}
    where
        (load_id in (live_before) or load_id in (live_after))
        {% if not is_rebuilt() %}
        and ({{ key }}) in (
            select {{ key }}
            from {{ ref('stg_events') }}
            where
                load_id in (
                    select load_id from {{ ref('stg_loads') }} where table_name = 'events' and change != ''
                )
            union distinct
            select {{ key }} from erased_rows where was_erased != is_erased
        )
        {% endif %}
    group by {{ key }}
    having
        count() > 1
        or countIf(load_id not in (live_after)) > 0
        or countIf((load_id, line) in (select load_id, line from erased_rows)) > 0
),

versions as (
    select
        {{ key }},
        loads.was_live and (load_id, line) not in (select load_id, line from erased_rows where was_erased) as was_live,
        loads.is_live and (load_id, line) not in (select load_id, line from erased_rows where is_erased) as is_live,
        -- the smallest wins
        (
            isNull(sent_received_at),
            coalesce(sent_received_at, toDateTime64(0, 6, 'UTC')),
            -toInt64(loads.load_order),
            -toInt64(line)
        ) as rank,
        -- as text, because a hash of anything that is NULL is NULL
        sipHash128(toString(tuple({{ event_columns() | join(', ') }}))) as content,
        (load_id, line, session_key, timestamp, distinct_id, event, links, content, device_id, anonymous_id) as image
    from {{ ref('stg_events') }} as versions
    inner join {{ ref('stg_loads') }} as loads on versions.load_id = loads.load_id
    where
        ({{ key }}) in (select {{ key }} from contested)
        and (was_live or is_live)
),

images as (
    select
        {{ key }},
        countIf(was_live) > 0 as has_old,
        countIf(is_live) > 0 as has_new,
        argMinIf(image, rank, was_live) as old,
        argMinIf(image, rank, is_live) as new
    from versions
    group by {{ key }}
)

select
    tenant_id,
    event_date,
    event_id,
    has_old,
    has_new,
    has_old != has_new or old.8 != new.8 as is_changed,
    new.1 as new_load_id,
    new.2 as new_line,
    old.3 as session_key,
    old.4 as timestamp,
    old.5 as distinct_id,
    old.6 as event,
    old.7 as links,
    old.9 as device_id,
    old.10 as anonymous_id
from images

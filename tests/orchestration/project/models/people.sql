select
    tenant_id,
    distinct_id as user_id,
    min(timestamp) as first_seen_at,
    max(timestamp) as last_seen_at,
    count() as events_count,
    countIf(event = 'page') as pageviews_count
from {{ source('raw', 'events') }}
where load_id in (
    select load_id
    from {{ source('raw', 'loads') }} final
    where load_seq <= (select to_seq from {{ ref('int_build_range') }}) and superseded_seq = 0
)
group by tenant_id, user_id

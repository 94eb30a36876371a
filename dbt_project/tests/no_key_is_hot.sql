{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'users'}}}) }}
select
    tenant_id,
    'person' as kind,
    user_id as key,
    events_count,
    distinct_ids_count
from {{ ref('users') }}
where
    {{ of_this_build() }}
    and (events_count > {{ var('hot_person_events') }} or distinct_ids_count > {{ var('hot_person_ids') }})

union all

select
    tenant_id,
    if(is_derived, 'device', 'session') as kind,
    if(is_derived, substring(session_key, 3), session_id) as key,
    events_count,
    0 as distinct_ids_count
from {{ ref('sessions') }}
where {{ of_this_build() }} and events_count > {{ var('hot_session_events') }}

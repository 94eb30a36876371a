{{ config(meta={'dagster': {'ref': {'name': 'sessions'}}}) }}
select
    tenant_id,
    session_id,
    session_start
from {{ ref('sessions') }}
where
    {{ of_this_build() }}
    and not (
        session_end >= session_start
        and session_date = toDate(session_start)
        and duration_seconds <= {{ var('max_session_hours') }} * 3600
        and events_count > 0
        and pageviews_count <= events_count
        and session_number > 0
        and is_first_session = (session_number = 1)
        and became_identified <= is_identified
        and revenue is not null
    )

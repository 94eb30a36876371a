-- One row per (tenant_id, event, date, hour) whose events are cut, as it was published last, with its
-- standing before and after this build.
select
    kept.tenant_id as tenant_id,
    kept.event as event,
    kept.date as date,
    kept.hour as hour,
    kept.events_count as events_count,
    kept.nobody_events_count as nobody_events_count,
    kept.users_count as users_count,
    kept.load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'cuts' and was_live)
    and kept.date >= cuts.was_before as was_kept,
    kept.load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'cuts' and is_live)
    and kept.date >= cuts.is_before as is_kept
from {{ source('raw', 'kept_event_hours') }} as kept
left join {{ ref('stg_daily_cuts') }} as cuts on kept.tenant_id = cuts.tenant_id

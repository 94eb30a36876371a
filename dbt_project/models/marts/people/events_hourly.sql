{{ config(order_by=['tenant_id', 'date', 'event', 'hour']) }}
{% do follow('changed_event_hours', ['tenant_id', 'date', 'event', 'hour']) %}
-- One row per (tenant_id, event, date, hour) in which the event happened. Events of nobody are counted, too.
-- Of days whose events are cut the rows stay as they were published last.
with counts as {{ once() if is_incremental() }} (
    select
        tenant_id,
        event_date,
        event,
        hour,
        distinct_id,
        events_count
    from {{ ref('int_id_hours') }}
    where
        1
        {{ only_changed(
            'changed_event_hours', ['tenant_id', 'date', 'event', 'hour'],
            own_columns=['tenant_id', 'event_date', 'event', 'hour']
        ) }}
),

counted as (
    select
        counts.tenant_id as tenant_id,
        counts.event as event,
        counts.event_date as date,
        counts.hour as hour,
        sum(counts.events_count) as events_count,
        sumIf(counts.events_count, counts.distinct_id = '') as nobody_events_count,
        uniqExactIf(identities.user_id, counts.distinct_id != '') as users_count
    from counts
    left join {{ people_of('counts') }} as identities
        on counts.tenant_id = identities.tenant_id and counts.distinct_id = identities.distinct_id
    group by tenant_id, event, date, hour
),

kept as (
    select
        tenant_id,
        event,
        date,
        hour,
        events_count,
        nobody_events_count,
        users_count
    from {{ ref('stg_kept_event_hours') }}
    where
        is_kept
        {{ only_changed('changed_event_hours', ['tenant_id', 'date', 'event', 'hour']) }}
)

select
    tenant_id,
    event,
    date,
    hour,
    events_count,
    nobody_events_count,
    users_count,
    {{ build_seq() }} as _build_seq
from (
    select * from counted
    union all
    select * from kept
)

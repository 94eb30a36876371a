{{ config(meta={'dagster': {'ref': {'name': 'int_events'}}}) }}
with gone as (
    select
        tenant_id,
        event_date,
        session_key,
        timestamp,
        event_id
    from {{ ref('changed_duplicates') }}
    where is_changed and has_old
),

twice as (
    select
        tenant_id,
        event_date,
        event_id,
        'written twice' as why
    from {{ ref('int_events') }}
    where {{ of_this_build() }}
    group by tenant_id, event_date, event_id
    having count() > 1
),

still_there as (
    select
        tenant_id,
        event_date,
        event_id,
        'still there' as why
    from {{ ref('int_events') }}
    where
        (tenant_id, event_date, session_key, timestamp, event_id) in (
            select tenant_id, event_date, session_key, timestamp, event_id from gone
        )
        and _build_seq != {{ build_seq() }}
)

select tenant_id, event_date, event_id, why from twice
union all
select tenant_id, event_date, event_id, why from still_there

{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'retention_definitions'}}}) }}
-- A target or a return that no event of the tenant ever met: its event or a property of its filter is misspelt, not
-- sent any more or not sent yet, or the filter cannot be read. Only what nobody did is looked for among people's days.
-- It is said by every build until it is put right, and what one build changed does not tell that something never was:
-- so all cells of `retention` are read, of which there are few beside events.
with sides as (
    select
        tenant_id,
        retention_id,
        'target' as side,
        target_event as event,
        target_filter as filter,
        target_matcher_id as matcher_id
    from {{ ref('int_retention_definitions') }}
    union all
    select
        tenant_id,
        retention_id,
        'return' as side,
        return_event as event,
        return_filter as filter,
        return_matcher_id as matcher_id
    from {{ ref('int_retention_definitions') }}
),

seen as (
    select
        tenant_id,
        retention_id,
        arrayJoin(if(max(period_number > 0 and retained_count > 0), ['target', 'return'], ['target'])) as side
    from {{ ref('retention') }}
    where users_count > 0
    group by tenant_id, retention_id
),

unseen as (
    select
        tenant_id,
        retention_id,
        side,
        event,
        filter,
        matcher_id
    from sides
    where
        -- any event at all: a tenant has some
        not (event = '' and filter = '')
        and (tenant_id, retention_id, side) not in (select tenant_id, retention_id, side from seen)
)

select
    tenant_id,
    retention_id,
    side,
    event,
    filter
from unseen
where (tenant_id, matcher_id) not in (
    select tenant_id, matcher_id
    from {{ ref('int_retention_days') }}
    where (tenant_id, matcher_id) in (select tenant_id, matcher_id from unseen)
)

{{ config(order_by='tenant_id') }}
-- One row per tenant: with events, or listed by a synced source. Few, so they are written anew with each build.
-- as_of_date: the day of the latest sync of its source, else that of its last event; "today" for all that asks how long
-- ago something was, so that no answer depends on when it is asked for.
with listed as (
    -- an id that two sources have is the one of the source whose name comes first
    select
        tenant_id,
        min((source, kind, name, slug, created_at, read_at)) as one
    from {{ ref('stg_source_tenants') }}
    group by tenant_id
)

select
    if(events.tenant_id != '', events.tenant_id, listed.tenant_id) as tenant_id,
    listed.one.2 as kind,
    listed.one.3 as name,
    listed.one.4 as slug,
    listed.one.5 as created_at,
    listed.one.1 as source,
    if(listed.tenant_id = '', null, listed.one.6) as read_at,
    if(listed.tenant_id = '', events.last_event_date, toDate(listed.one.6)) as as_of_date
from {{ ref('int_tenants') }} as events
full join listed on events.tenant_id = listed.tenant_id

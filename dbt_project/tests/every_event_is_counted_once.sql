{{ config(meta={'dagster': {'ref': {'name': 'users'}}}) }}
-- Hours, people, their days and sessions are counted along different paths from the same events: per tenant they come
-- to the same. A row that a build forgot to delete, or to write, shows here whenever it was forgotten: so all rows are
-- summed up, but only of tenants in which this build changed something.
with totals as (
    {% for mart in ['events_hourly', 'users', 'user_days', 'sessions'] -%}
    select
        tenant_id,
        '{{ mart }}' as mart,
        sum(events_count) as events_count
    from {{ ref(mart) }}
    {{ of_changed_tenants() }}
    group by tenant_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    tenant_id,
    groupArray((mart, events_count)) as events_by_mart
from totals
group by tenant_id
having uniqExact(events_count) > 1 or count() < 4

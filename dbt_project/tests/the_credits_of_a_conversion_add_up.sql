{{ config(meta={'dagster': {'ref': {'name': 'attribution_credit'}}}) }}
with models as (
    select
        tenant_id,
        conversion_at,
        conversion_event_id,
        model,
        sum(credit) as total_credit,
        sum(credited_revenue) as total_revenue
    from {{ ref('attribution_credit') }}
    where
        (tenant_id, user_id, conversion_at, conversion_event_id) in (
            select tenant_id, user_id, conversion_at, conversion_event_id
            from {{ ref('attribution_credit') }}
            where {{ of_this_build() }}
        )
    group by tenant_id, conversion_at, conversion_event_id, model
)

select
    tenant_id,
    conversion_at,
    conversion_event_id
from models
group by tenant_id, conversion_at, conversion_event_id
having
    count() != 5
    or min(total_credit) < 1 - 1e-9
    or max(total_credit) > 1 + 1e-9
    or min(total_revenue) is distinct from max(total_revenue)

{{ config(order_by=['tenant_id', 'user_id', 'date']) }}
{% set changed = follow('changed_user_days', ['tenant_id', 'user_id', 'date']) %}
-- One row per (tenant_id, user_id, date) on which the person sent an event or started a session.
with ids as {{ once() if is_incremental() }} (
    select
        tenant_id,
        distinct_id,
        user_id
    from {{ ref('identities') }}
    where
        1
        {{ only_changed('changed_user_days', ['tenant_id', 'user_id']) }}
),

id_days as (
    select
        days.tenant_id as tenant_id,
        ids.user_id as user_id,
        days.event_date as date,
        days.events_count as events_count,
        days.pageviews_count as pageviews_count,
        days.revenue as revenue
    from {{ ref('int_id_days') }} as days
    inner join ids on days.tenant_id = ids.tenant_id and days.distinct_id = ids.distinct_id
    {% if is_incremental() %}
    where {{ among(['tenant_id', 'distinct_id'], 'ids', of='days') }}
    {% endif %}
),

activity as (
    select tenant_id, user_id, date, events_count, pageviews_count, toUInt64(0) as sessions_count, revenue
    from id_days
    union all
    select
        tenant_id,
        user_id,
        session_date as date,
        toUInt64(0) as events_count,
        toUInt64(0) as pageviews_count,
        toUInt64(1) as sessions_count,
        toDecimal128(0, 6) as revenue
    from {{ ref('int_user_sessions') }}
    where
        1
        {{ only_changed('changed_user_days', ['tenant_id', 'user_id']) }}
)

select
    tenant_id,
    user_id,
    date,
    sum(events_count) as events_count,
    sum(pageviews_count) as pageviews_count,
    sum(sessions_count) as sessions_count,
    sum(revenue) as revenue,
    {{ build_seq() }} as _build_seq
from activity
where
    1
    {{ changed }}
group by tenant_id, user_id, date

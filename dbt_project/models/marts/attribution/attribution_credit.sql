{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='MergeTree()',
    order_by=['tenant_id', 'user_id', 'conversion_at', 'conversion_event_id', 'model', 'session_id'],
    pre_hook="{{ delete_changed('changed_users', ['tenant_id', 'user_id']) }}",
) }}
-- One row per conversion, attribution model and session that gets credit for it. A conversion that no touch led to
-- has one row per model, with no session, for Direct.
{% set touch_columns = ['channel', 'utm_source', 'utm_medium', 'utm_campaign'] %}
with ids as (
    select
        tenant_id,
        distinct_id,
        user_id
    from {{ ref('identities') }}
    where
        1
        {{ only_changed('changed_users', ['tenant_id', 'user_id']) }}
),

conversions as (
    select
        conversions.tenant_id as tenant_id,
        ids.user_id as user_id,
        conversions.event_id as conversion_event_id,
        conversions.event as conversion_event,
        conversions.timestamp as conversion_at,
        conversions.revenue as revenue
    from {{ ref('int_conversions') }} as conversions
    inner join ids on conversions.tenant_id = ids.tenant_id and conversions.distinct_id = ids.distinct_id
    {% if is_incremental() %}
    where (conversions.tenant_id, conversions.distinct_id) in (select tenant_id, distinct_id from ids)
    {% endif %}
),

touches as (
    select
        tenant_id,
        user_id,
        session_start,
        session_id,
        {{ touch_columns | join(',\n        ') }}
    from {{ ref('int_touches') }}
    where (tenant_id, user_id) in (select tenant_id, user_id from conversions)
),

shares as (
    {{ attribution_shares('conversions', ['conversion_event', 'revenue'], 'touches', touch_columns) }}
)

select
    tenant_id,
    conversion_event_id,
    model,
    session_id,
    user_id,
    conversion_at,
    conversion_event,
    {{ or_direct('channel') }} as channel,
    utm_source,
    utm_medium,
    utm_campaign,
    weight / total_weight as credit,
    {{ credited_revenue('revenue', 'weight', 'running_weight', 'total_weight') }} as credited_revenue,
    {{ build_seq() }} as _build_seq
from shares

{{ config(
    order_by=['tenant_id', 'user_id', 'conversion_at', 'conversion_event_id', 'model', 'session_id'],
    partition_by='toYYYYMM(conversion_at)',
) }}
{% do follow('changed_attribution', ['tenant_id', 'user_id', 'conversion_at', 'conversion_event_id']) %}
-- One row per conversion, attribution model and session that gets credit for it. A conversion that no touch led to
-- has one row per model, with no session, for Direct.
{% set touch_columns = ['channel', 'utm_source', 'utm_medium', 'utm_campaign'] %}
with conversions as (
    {% if is_incremental() -%}
    select
        tenant_id,
        user_id,
        conversion_event_id,
        conversion_event,
        conversion_at,
        revenue
    from {{ ref('changed_attribution') }}
    where is_current
    {%- else -%}
    select
        conversions.tenant_id as tenant_id,
        identities.user_id as user_id,
        conversions.event_id as conversion_event_id,
        conversions.event as conversion_event,
        conversions.timestamp as conversion_at,
        conversions.revenue as revenue
    from {{ ref('int_conversions') }} as conversions
    inner join {{ ref('identities') }} as identities
        on conversions.tenant_id = identities.tenant_id and conversions.distinct_id = identities.distinct_id
    {%- endif %}
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
    toLowCardinality(conversion_event) as conversion_event,
    {{ or_direct('channel') }} as channel,
    utm_source,
    utm_medium,
    utm_campaign,
    weight / total_weight as credit,
    {{ credited_revenue('revenue', 'weight', 'running_weight', 'total_weight') }} as credited_revenue,
    {{ build_seq() }} as _build_seq
from shares

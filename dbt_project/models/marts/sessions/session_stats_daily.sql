{{ config(order_by=['tenant_id', 'date']) }}
{% do follow('changed_session_days', ['tenant_id', 'date']) %}
-- One row per (tenant_id, date) with at least one session that started on that day. Of days whose events are cut the
-- row stays as it was published last.
with sessions as (
    select
        tenant_id,
        session_date as date,
        user_id,
        duration_seconds,
        toUnixTimestamp64Micro(session_end) - toUnixTimestamp64Micro(session_start) as duration_micros,
        pageviews_count,
        is_first_session,
        is_identified,
        became_identified,
        is_bounce,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_source != '' or utm_medium != '' or utm_campaign != '' or utm_term != '' or utm_content != '' as has_utm,
        entry_referrer != '' or entry_referring_domain != '' as has_referrer,
        revenue
    from {{ ref('sessions') }}
    where
        1
        {{ only_changed('changed_session_days', ['tenant_id', 'date'], own_columns=['tenant_id', 'session_date']) }}
),

days as (
    select
        tenant_id,
        date,
        count() as sessions_count,
        countIf(is_identified) as identified_sessions_count,
        countIf(became_identified) as became_identified_sessions_count,
        uniqExact(user_id) as users_count,
        countIf(is_first_session) as new_users_count,
        sum(duration_micros) / count() / 1e6 as avg_duration_seconds,
        quantileExactInclusive(0.5)(duration_seconds) as median_duration_seconds,
        sum(pageviews_count) / count() as avg_pageviews_per_session,
        countIf(is_bounce) / count() as bounce_rate,
        countIf(has_utm or has_referrer) as sessions_with_attribution_count,
        countIf(has_utm) as sessions_with_utm_count,
        countIf(has_referrer) as sessions_with_referrer_count,
        {{ top_values('utm_source') }} as top_utm_sources,
        {{ top_values('utm_medium') }} as top_utm_mediums,
        {{ top_values('utm_campaign') }} as top_utm_campaigns,
        sum(revenue) as revenue
    from sessions
    group by tenant_id, date
),

counted as (
    select
        tenant_id,
        date,
        sessions_count,
        identified_sessions_count,
        100 * identified_sessions_count / sessions_count as identified_sessions_pct,
        became_identified_sessions_count,
        users_count,
        new_users_count,
        avg_duration_seconds,
        median_duration_seconds,
        avg_pageviews_per_session,
        bounce_rate,
        sessions_with_attribution_count,
        sessions_with_utm_count,
        sessions_with_referrer_count,
        top_utm_sources[1].1 as top_utm_source,
        top_utm_mediums[1].1 as top_utm_medium,
        top_utm_campaigns[1].1 as top_utm_campaign,
        top_utm_sources,
        top_utm_mediums,
        top_utm_campaigns,
        revenue
    from days
),

kept as (
    select
        tenant_id,
        date,
        sessions_count,
        identified_sessions_count,
        identified_sessions_pct,
        became_identified_sessions_count,
        users_count,
        new_users_count,
        avg_duration_seconds,
        median_duration_seconds,
        avg_pageviews_per_session,
        bounce_rate,
        sessions_with_attribution_count,
        sessions_with_utm_count,
        sessions_with_referrer_count,
        top_utm_source,
        top_utm_medium,
        top_utm_campaign,
        top_utm_sources,
        top_utm_mediums,
        top_utm_campaigns,
        revenue
    from {{ ref('stg_kept_session_stats') }}
    where
        is_kept
        {{ only_changed('changed_session_days', ['tenant_id', 'date']) }}
)

select
    tenant_id,
    date,
    sessions_count,
    identified_sessions_count,
    identified_sessions_pct,
    became_identified_sessions_count,
    users_count,
    new_users_count,
    avg_duration_seconds,
    median_duration_seconds,
    avg_pageviews_per_session,
    bounce_rate,
    sessions_with_attribution_count,
    sessions_with_utm_count,
    sessions_with_referrer_count,
    top_utm_source,
    top_utm_medium,
    top_utm_campaign,
    top_utm_sources,
    top_utm_mediums,
    top_utm_campaigns,
    revenue,
    {{ build_seq() }} as _build_seq
from (
    select * from counted
    union all
    select * from kept
)

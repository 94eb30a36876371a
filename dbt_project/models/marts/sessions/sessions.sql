{{ config(
    order_by=['tenant_id', 'session_date', 'session_key', 'session_start'],
    partition_by='toYYYYMM(session_date)',
    query_settings={'short_circuit_function_evaluation': 'disable'},
) }}
{% do follow('changed_session_rows', ['tenant_id', 'session_date', 'session_key', 'session_start']) %}
-- One row per (tenant_id, session_id).
with facts as (
    select *
    from {{ ref('int_session_facts') }}
    where
        1
        {{ only_changed(
            'changed_session_rows', ['tenant_id', 'session_key', 'session_start'], where="change = 'after'"
        ) }}
),

people as (
    {% if is_incremental() -%}
    select
        tenant_id,
        session_key,
        session_start,
        user_id,
        is_identified,
        became_identified,
        session_number
    from {{ ref('changed_session_rows') }}
    where change = 'after'
    {%- else -%}
    {{ numbered_sessions() }}
    {%- endif %}
)

select
    -- ids
    facts.tenant_id as tenant_id,
    facts.session_id as session_id,
    people.user_id as user_id,
    facts.first_distinct_id as first_distinct_id,
    facts.last_distinct_id as last_distinct_id,
    -- times
    facts.session_start as session_start,
    facts.session_end as session_end,
    facts.session_date as session_date,
    (toUnixTimestamp64Micro(session_end) - toUnixTimestamp64Micro(session_start)) / 1e6 as duration_seconds,
    -- what kind of session
    people.session_number as session_number,
    toUInt8(people.session_number = 1) as is_first_session,
    toUInt8({{ is_derived('facts.session_key') }}) as is_derived,
    people.is_identified as is_identified,
    people.became_identified as became_identified,
    facts.events_count as events_count,
    facts.pageviews_count as pageviews_count,
    toUInt8(facts.pageviews_count <= 1 and duration_seconds < {{ var('bounce_seconds') }}) as is_bounce,
    -- where it entered and left
    facts.entry_url as entry_url,
    facts.entry_host as entry_host,
    facts.entry_pathname as entry_pathname,
    facts.entry_referrer as entry_referrer,
    facts.entry_referring_domain as entry_referring_domain,
    facts.exit_url as exit_url,
    facts.exit_pathname as exit_pathname,
    -- where it came from
    facts.utm_source as utm_source,
    facts.utm_medium as utm_medium,
    facts.utm_campaign as utm_campaign,
    facts.utm_term as utm_term,
    facts.utm_content as utm_content,
    facts.click_ids as click_ids,
    {{ channel(
        'facts.utm_source', 'facts.utm_medium', 'facts.utm_campaign', 'facts.click_ids',
        referring_address('facts.entry_referring_domain', 'facts.entry_referrer'),
        'facts.own_hosts'
    ) }} as channel,
    toUInt8({{ is_touch(
        utm_columns(),
        'facts.click_ids',
        referring_address('facts.entry_referring_domain', 'facts.entry_referrer'),
        'facts.own_hosts'
    ) }}) as is_touch,
    -- on what
    facts.browser as browser,
    facts.os as os,
    facts.device_type as device_type,
    facts.user_agent as user_agent,
    facts.ip_address as ip_address,
    facts.country as country,
    facts.city as city,
    facts.timezone as timezone,
    facts.revenue as revenue,
    facts.session_key as session_key,
    {{ build_seq() }} as _build_seq
from facts
inner join people
    on
        facts.tenant_id = people.tenant_id
        and facts.session_key = people.session_key
        and facts.session_start = people.session_start

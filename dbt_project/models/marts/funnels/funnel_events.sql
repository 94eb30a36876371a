{{ config(
    order_by=['tenant_id', 'funnel_id', 'entry_date', 'user_id', 'step_number'],
    partition_by='toYYYYMM(entry_date)',
) }}
{% do follow('changed_funnel_entries', ['tenant_id', 'funnel_id', 'user_id', 'entry_date']) %}
{% do follow('changed_funnels', ['tenant_id', 'funnel_id']) %}
-- One row per (tenant_id, funnel_id, user_id, entry_date, step_number): the steps that a person's best attempt of that
-- day reached, numbered in the order in which they were. Over a range of days a person counts once, with their best
-- attempt of the range.
with people as (
    select
        tenant_id,
        funnel_id,
        user_id,
        min(entry_date) as from_date,
        max(entry_date) as to_date
    from {{ ref('changed_funnel_entries') }}
    group by tenant_id, funnel_id, user_id
),

ids as {{ once() if is_incremental() }} (
    select
        tenant_id,
        distinct_id,
        user_id
    from {{ ref('identities') }}
    where
        1
        {{ only_changed('changed_funnel_entries', ['tenant_id', 'user_id']) }}
),

matches as (
    select
        matches.tenant_id as tenant_id,
        matches.funnel_id as funnel_id,
        ids.user_id as user_id,
        matches.step_number as step_number,
        matches.timestamp as timestamp,
        matches.event_id as event_id
    from {{ ref('int_funnel_matches') }} as matches
    inner join ids on matches.tenant_id = ids.tenant_id and matches.distinct_id = ids.distinct_id
    {%- if is_incremental() %}
    where
        {{ among(['tenant_id', 'distinct_id'], 'ids', of='matches') }}
        and (matches.tenant_id, matches.funnel_id, ids.user_id) in (select tenant_id, funnel_id, user_id from people)
        -- an attempt uses nothing from before its start
        and matches.event_date >= (select min(from_date) from people)
    {%- endif %}
),

funnels as (
    select
        tenant_id,
        funnel_id,
        argMin(mode, step_number) as mode,
        argMin(window_seconds, step_number) as window_seconds,
        arraySort(groupArray((step_number, step_name))).2 as step_names
    from {{ ref('funnel_steps') }}
    group by tenant_id, funnel_id
),

entries as (
    {{ funnel_entries('matches', 'funnels', 'people' if is_incremental() else none) }}
)

select
    tenant_id,
    funnel_id,
    user_id,
    entry_date,
    step_number,
    step_name,
    event_id,
    timestamp,
    seconds_from_previous,
    {{ build_seq() }} as _build_seq
from entries

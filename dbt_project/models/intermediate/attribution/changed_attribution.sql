{{ config(order_by=['tenant_id', 'user_id', 'conversion_at', 'conversion_event_id']) }}
-- One row per conversion whose credits can differ: the conversion itself came or went, a touch in the days before it
-- did, or its person changed. `is_current` 0: it is no conversion of this person any more, its credits only go.
{% call changes() %}
with moved_people as (
    select
        tenant_id,
        arrayJoin([old_user_id, new_user_id]) as user_id
    from {{ ref('changed_identities') }}
    where old_user_id != new_user_id
),

changed_conversions as (
    select tenant_id, distinct_id, timestamp
    from {{ ref('int_conversions') }}
    where {{ written_by_this_build() }}
    union all
    select tenant_id, distinct_id, timestamp
    from {{ ref('changed_events') }}
    where change = 'removed'
),

-- the stretch of time in which a person's conversions are looked at again
stretches as {{ once() }} (
    select
        tenant_id,
        user_id,
        min(from_at) as from_at,
        max(to_at) as to_at
    from (
        select
            tenant_id,
            user_id,
            session_start as from_at,
            session_start + interval {{ var('attribution_window_days') }} day as to_at
        from {{ ref('changed_session_rows') }}
        union all
        select
            changed.tenant_id as tenant_id,
            identities.user_id as user_id,
            changed.timestamp as from_at,
            changed.timestamp as to_at
        from changed_conversions as changed
        inner join {{ people_of('changed_conversions') }} as identities
            on changed.tenant_id = identities.tenant_id and changed.distinct_id = identities.distinct_id
        union all
        select
            tenant_id,
            user_id,
            toDateTime64('1970-01-01 00:00:00', 6, 'UTC') as from_at,
            toDateTime64('2299-12-31 00:00:00', 6, 'UTC') as to_at
        from moved_people
        where user_id != ''
    )
    group by tenant_id, user_id
),

ids as {{ once() }} (
    select tenant_id, distinct_id, user_id
    from {{ ref('identities') }}
    where {{ among(['tenant_id', 'user_id'], 'stretches') }}
),

conversions as (
    select
        conversions.tenant_id as tenant_id,
        identities.user_id as user_id,
        conversions.timestamp as conversion_at,
        conversions.event_id as conversion_event_id,
        conversions.event as conversion_event,
        conversions.revenue as revenue,
        1 as is_current
    from {{ ref('int_conversions') }} as conversions
    inner join ids as identities
        on conversions.tenant_id = identities.tenant_id and conversions.distinct_id = identities.distinct_id
    where {{ among(['tenant_id', 'distinct_id'], 'ids', of='conversions') }}
    union all
    select
        tenant_id,
        user_id,
        conversion_at,
        conversion_event_id,
        conversion_event,
        null as revenue,
        0 as is_current
    from {{ before('attribution_credit', {
        'tenant_id': 'String', 'user_id': 'String', 'conversion_at': "DateTime64(6, \\'UTC\\')",
        'conversion_event_id': 'String', 'conversion_event': 'String', 'model': 'String'
    }) }}
    -- the model `first` has one row per conversion
    where model = 'first' and {{ among(['tenant_id', 'user_id'], 'stretches') }}
)

select
    conversions.tenant_id as tenant_id,
    conversions.user_id as user_id,
    conversions.conversion_at as conversion_at,
    conversions.conversion_event_id as conversion_event_id,
    argMax(toString(conversions.conversion_event), conversions.is_current) as conversion_event,
    max(conversions.revenue) as revenue,
    max(conversions.is_current) as is_current
from conversions
inner join stretches on conversions.tenant_id = stretches.tenant_id and conversions.user_id = stretches.user_id
where conversions.conversion_at between stretches.from_at and stretches.to_at
group by tenant_id, user_id, conversion_at, conversion_event_id
{% endcall %}

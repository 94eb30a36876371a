{{ config(order_by=['tenant_id', 'user_id', 'session_start', 'session_id']) }}
{% do follow('changed_sessions', ['tenant_id', 'user_id', 'session_start', 'session_id'], where="change = 'before'") %}
-- One row per session under its person, in the order that numbers a person's sessions. The person is that of the LAST
-- identified event (one that says so, or was sent under an identified id); if there is none, of the first event.
with sessions as {{ once() if is_incremental() }} (
    select
        tenant_id,
        session_key,
        session_start,
        session_id,
        session_date,
        session_end,
        first_distinct_id,
        first_says_identified,
        last_seen,
        last_said
    from {{ ref('int_session_facts') }}
    where
        1
        {{ only_changed('changed_sessions', ['tenant_id', 'session_key', 'session_start'], where="change = 'after'") }}
),

-- An id's last event, and the last one that says it is identified. Side by side: looking for each id in a map of all
-- ids takes too long where thousands of people share a session id.
ids as (
    select
        tenant_id,
        session_key,
        session_start,
        distinct_id,
        place,
        says_identified,
        distinct_id = first_distinct_id as is_first,
        first_says_identified
    from sessions
    array join
        arrayConcat(mapKeys(last_seen), mapKeys(last_said)) as distinct_id,
        arrayConcat(mapValues(last_seen), mapValues(last_said)) as place,
        arrayConcat(
            arrayWithConstant(length(last_seen), toUInt8(0)), arrayWithConstant(length(last_said), toUInt8(1))
        ) as says_identified
),

people as (
    select
        ids.tenant_id as tenant_id,
        ids.session_key as session_key,
        ids.session_start as session_start,
        max(identities.is_identified or ids.says_identified) as is_identified,
        argMaxIf(
            identities.user_id, ids.place, identities.is_identified or ids.says_identified
        ) as identified_user_id,
        anyIf(identities.user_id, ids.is_first) as first_user_id,
        maxIf(ids.first_says_identified or identities.is_identified, ids.is_first) as starts_identified
    from ids
    inner join {{ people_of('ids') }} as identities
        on ids.tenant_id = identities.tenant_id and ids.distinct_id = identities.distinct_id
    group by tenant_id, session_key, session_start
)

select
    sessions.tenant_id as tenant_id,
    if(people.is_identified, people.identified_user_id, people.first_user_id) as user_id,
    sessions.session_start as session_start,
    sessions.session_id as session_id,
    sessions.session_key as session_key,
    sessions.session_date as session_date,
    toUnixTimestamp64Micro(sessions.session_end) - toUnixTimestamp64Micro(sessions.session_start) as duration_micros,
    people.is_identified as is_identified,
    people.is_identified and not people.starts_identified as became_identified,
    {{ build_seq() }} as _build_seq
from sessions
inner join people
    on
        sessions.tenant_id = people.tenant_id
        and sessions.session_key = people.session_key
        and sessions.session_start = people.session_start

{{ config(order_by=['tenant_id', 'session_date', 'session_key', 'session_start']) }}
-- One row per row of `sessions` to delete ('before') or to write ('after', with its number). A session that comes or
-- goes renumbers the later sessions of its people, so those are written again as well.
{% call changes() %}
with touched as (
    select tenant_id, user_id, session_start, session_id
    from {{ ref('changed_sessions') }}
    where change = 'before'
    union all
    select tenant_id, user_id, session_start, session_id
    from {{ ref('int_user_sessions') }}
    where {{ written_by_this_build() }}
),

touched_people as {{ once() }} (
    select
        tenant_id,
        user_id,
        min((session_start, session_id)) as first_touched
    from touched
    group by tenant_id, user_id
),

numbered as (
    {{ numbered_sessions(people='touched_people') }}
)

select
    tenant_id,
    session_date,
    session_key,
    session_start,
    session_id,
    user_id,
    toUInt8(0) as is_identified,
    toUInt8(0) as became_identified,
    toUInt32(0) as session_number,
    'before' as change
from {{ ref('changed_sessions') }}
where change = 'before'

union all

select
    numbered.tenant_id as tenant_id,
    numbered.session_date as session_date,
    numbered.session_key as session_key,
    numbered.session_start as session_start,
    numbered.session_id as session_id,
    numbered.user_id as user_id,
    numbered.is_identified as is_identified,
    numbered.became_identified as became_identified,
    numbered.session_number as session_number,
    'after' as change
from numbered
inner join touched_people
    on numbered.tenant_id = touched_people.tenant_id and numbered.user_id = touched_people.user_id
where (numbered.session_start, numbered.session_id) >= touched_people.first_touched
{% endcall %}

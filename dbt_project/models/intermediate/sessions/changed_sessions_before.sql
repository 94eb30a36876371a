{{ config(order_by=['tenant_id', 'session_key', 'session_start']) }}
-- One row per session that this build cuts again, as it was before.
{% call changes() %}
select
    sessions.tenant_id as tenant_id,
    sessions.session_key as session_key,
    sessions.session_start as session_start,
    sessions.session_id as session_id,
    sessions.session_date as session_date
from {{ session_facts_before() }} as sessions
inner join {{ ref('changed_session_keys') }} as changed
    on sessions.tenant_id = changed.tenant_id and sessions.session_key = changed.session_key
where
    {{ among(['tenant_id', 'session_key'], ref('changed_session_keys'), of='sessions') }}
    and sessions.session_start >= changed.from_at
    and sessions.session_start <= changed.to_at
{% endcall %}

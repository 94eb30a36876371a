{{ config(order_by=['tenant_id', 'user_id']) }}
-- One row per person of whom anything can differ: their days, their ids, or their standing.
{% call changes() %}
select tenant_id, user_id
from {{ ref('changed_user_days') }}
union distinct
select tenant_id, user_id
from (
    select tenant_id, arrayJoin([old_user_id, new_user_id]) as user_id
    from {{ ref('changed_identity_rows') }}
)
where user_id != ''
{% endcall %}

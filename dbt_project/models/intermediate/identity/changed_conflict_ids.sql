{{ config(order_by=['tenant_id', 'anonymous_id']) }}
-- One row per anonymous id whose conflicts can differ: it or a user it is linked to was worked out again.
{% call changes() %}
select tenant_id, distinct_id as anonymous_id
from {{ ref('changed_identity_scope') }}
union distinct
select tenant_id, other_id as anonymous_id
from {{ ref('int_links') }}
where
    side = 'user'
    and {{ among(['tenant_id', 'distinct_id'], ref('changed_identity_scope')) }}
union distinct
select tenant_id, anonymous_id
from {{ ref('changed_links') }}
union distinct
select tenant_id, anonymous_id
from {{ ref('changed_account_matches') }}
where user_id = ''
{% endcall %}

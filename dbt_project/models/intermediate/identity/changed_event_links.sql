{{ config(order_by=['tenant_id', 'anonymous_id', 'user_id']) }}
-- One row per place (link, day, session key) where an event that states a link came or went in this build.
{% call changes() %}
select distinct
    tenant_id,
    link.anonymous_id as anonymous_id,
    link.user_id as user_id,
    link.kind as kind,
    event_date,
    session_key
from {{ ref('changed_events') }}
array join links as link
where not {{ is_nobody('link.anonymous_id') }} and not {{ is_nobody('link.user_id') }}
{% endcall %}

{#
    Who was active on which day, and how many calls they made: a call makes a day in tenants with tool calls, any event in
    all others.
#}
{% macro active_days() %}
    select
        tenant_id,
        user_id,
        date,
        sum(calls_count) as calls_count
    from ({{ calls_of_people() }})
    group by tenant_id, user_id, date
    union all
    select
        tenant_id,
        user_id,
        date,
        toUInt64(0) as calls_count
    from {{ ref('user_days') }}
    where events_count > 0 and tenant_id not in (select tenant_id from {{ ref('int_mcp_id_days') }})
{% endmacro %}

{{ config(order_by=['tenant_id', 'anonymous_id', 'user_id']) }}
-- One row per (tenant_id, anonymous_id, user_id) whose link can differ since the last build.
{% call changes() %}
with changed_mappings as (
    select distinct
        tenant_id,
        anonymous_id,
        user_id
    from {{ ref('stg_identity_mappings') }}
    where
        load_id in (
            select load_id
            from {{ ref('stg_loads') }}
            where table_name in ('identity_mappings', 'cuts') and change != ''
        )
        or (load_id, line) in (
            select load_id, line
            from {{ ref('stg_erased_rows') }}
            where table_name = 'identity_mappings' and was_erased != is_erased
        )
),

-- where an anonymous id has sent events, now or before this build
tenants_of_ids as {{ once() }} (
    select
        tenant_id,
        distinct_id
    from {{ ref('int_id_days') }}
    where distinct_id in (select anonymous_id from changed_mappings where tenant_id = '')
    group by tenant_id, distinct_id
    union distinct
    select
        tenant_id,
        distinct_id
    from {{ ref('changed_events') }}
    group by tenant_id, distinct_id
),

-- a mapping without a tenant applies wherever its anonymous id has sent events
mappings_without_tenant as (
    select distinct
        anonymous_id,
        user_id
    from {{ ref('stg_identity_mappings') }}
    where tenant_id = '' and anonymous_id in (select distinct_id from tenants_of_ids)
),

changed as (
    select tenant_id, anonymous_id, user_id from changed_mappings where tenant_id != ''
    union distinct
    select tenant_id, anonymous_id, user_id from {{ ref('changed_event_links') }}
    union distinct
    select tenant_id, anonymous_id, user_id from {{ ref('changed_account_matches') }} where user_id != ''
    union distinct
    select tenants_of_ids.tenant_id, mappings.anonymous_id, mappings.user_id
    from mappings_without_tenant as mappings
    inner join tenants_of_ids on mappings.anonymous_id = tenants_of_ids.distinct_id
)

select
    tenant_id,
    anonymous_id,
    user_id
from changed
where
    anonymous_id != user_id
    and not {{ is_nobody('anonymous_id') }}
    and not {{ is_nobody('user_id') }}
{% endcall %}

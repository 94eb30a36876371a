{{ config(order_by=['tenant_id', 'distinct_id', 'other_id', 'side']) }}
{% set ends = ['tenant_id', 'distinct_id', 'other_id', 'side'] %}
{% do follow('changed_links', ['tenant_id', 'anonymous_id', 'user_id', "'anonymous'"], own_columns=ends) %}
{% do follow('changed_links', ['tenant_id', 'user_id', 'anonymous_id', "'user'"], own_columns=ends) %}
-- Two rows per link that stands, one for each end (side: the end that distinct_id is on), so that all links of an id
-- are read in one place. Of all that was said of one pair of ids the latest word decides whether the link stands (a
-- tie: it does not), the earliest sight is its time, and a merge said once makes it a merge. is_link: it was said as a
-- link, too, which makes its user an identified id. is_mapped: a row of identity mappings said it.
with said_by_mappings as {{ once() if is_incremental() }} (
    select
        tenant_id,
        anonymous_id,
        user_id,
        kind,
        first_seen_at,
        stated_at,
        is_deleted,
        -- a cut keeps what events said, and it stays something that events said
        load_id not in (select load_id from {{ ref('stg_loads') }} where table_name = 'cuts') as is_mapped
    from {{ ref('stg_identity_mappings') }}
    where
        load_id in (
            select load_id
            from {{ ref('stg_loads') }}
            where table_name in ('identity_mappings', 'cuts') and is_live
        )
        and (load_id, line) not in (
            select load_id, line
            from {{ ref('stg_erased_rows') }}
            where table_name = 'identity_mappings' and is_erased
        )
        {{ only_changed('changed_links', ['anonymous_id', 'user_id']) }}
),

-- the tenants where a mapping without a tenant applies
senders as (
    select
        tenant_id,
        distinct_id
    from {{ ref('int_id_days') }}
    where
        distinct_id in (select anonymous_id from said_by_mappings where tenant_id = '')
        {{ only_changed(
            'changed_links', ['tenant_id', 'anonymous_id'], own_columns=['tenant_id', 'distinct_id']
        ) }}
    group by tenant_id, distinct_id
),

-- what the accounts of synced sources have in common; a mapping that says otherwise has the last word
accounts as (
    select tenant_id, distinct_id, first_seen_at, matched_by
    from {{ ref('int_accounts') }}
    {%- if is_incremental() %}
    where {{ accounts_matching('changed_links') }}
    {%- endif %}
),

said as (
    select tenant_id, anonymous_id, user_id, kind, first_seen_at, stated_at, is_deleted, is_mapped
    from said_by_mappings
    where tenant_id != ''
    union all
    select
        senders.tenant_id,
        mappings.anonymous_id,
        mappings.user_id,
        mappings.kind,
        mappings.first_seen_at,
        mappings.stated_at,
        mappings.is_deleted,
        mappings.is_mapped as is_mapped
    from said_by_mappings as mappings
    inner join senders on mappings.anonymous_id = senders.distinct_id
    where mappings.tenant_id = ''
    union all
    select tenant_id, anonymous_id, user_id, kind, first_seen_at, stated_at, 0 as is_deleted, 0 as is_mapped
    from {{ ref('int_event_links') }}
    where
        1
        {{ only_changed('changed_links', ['tenant_id', 'anonymous_id', 'user_id']) }}
    union all
    select
        tenant_id,
        anonymous_id,
        user_id,
        'merge' as kind,
        null as first_seen_at,
        toDateTime64(0, 6, 'UTC') as stated_at,
        0 as is_deleted,
        0 as is_mapped
    from ({{ account_matches('accounts') }})
    where user_id != ''
),

links as (
    select
        tenant_id,
        anonymous_id,
        user_id,
        if(countIf(said.kind = 'merge' and not is_deleted) > 0, 'merge', 'link') as kind,
        countIf(said.kind = 'link' and not is_deleted) > 0 as is_link,
        countIf(said.is_mapped and not is_deleted) > 0 as is_mapped,
        min(first_seen_at) as first_seen_at,
        max((stated_at, is_deleted)) as last_word
    from said
    where
        anonymous_id != user_id
        and not {{ is_nobody('anonymous_id') }}
        and not {{ is_nobody('user_id') }}
        {{ only_changed('changed_links', ['tenant_id', 'anonymous_id', 'user_id']) }}
    group by tenant_id, anonymous_id, user_id
    having not last_word.2
)

select
    tenant_id,
    end.1 as distinct_id,
    end.2 as side,
    end.3 as other_id,
    kind,
    is_link,
    is_mapped,
    first_seen_at,
    {{ build_seq() }} as _build_seq
from links
array join [(anonymous_id, 'anonymous', user_id), (user_id, 'user', anonymous_id)] as end

{{ config(order_by=['tenant_id', 'anonymous_id', 'rejected_user_id']) }}
{% do follow('changed_conflict_ids', ['tenant_id', 'anonymous_id']) %}
-- One row per (tenant_id, anonymous_id, rejected_user_id): a link that stands but leads to another person than the one
-- its anonymous id belongs to, and why it was not followed. Without a rejected user: the first id of accounts that have
-- something in common, but are too many to be one person.
with links as {{ once() if is_incremental() }} (
    select
        tenant_id,
        distinct_id as anonymous_id,
        other_id as rejected_user_id,
        first_seen_at
    from {{ ref('int_links') }}
    where
        side = 'anonymous'
        and kind = 'link'
        {{ only_changed(
            'changed_conflict_ids', ['tenant_id', 'anonymous_id'], own_columns=['tenant_id', 'distinct_id']
        ) }}
),

ids as {{ once() if is_incremental() }} (
    select tenant_id, anonymous_id as distinct_id from links
    union distinct
    select tenant_id, rejected_user_id as distinct_id from links
),

accounts as (
    select tenant_id, distinct_id, first_seen_at, matched_by
    from {{ ref('int_accounts') }}
    {%- if is_incremental() %}
    where {{ accounts_matching('changed_conflict_ids') }}
    {%- endif %}
),

shared as {{ once() if is_incremental() }} (
    select tenant_id, anonymous_id as distinct_id
    from ({{ account_matches('accounts') }})
    where
        user_id = ''
        {{ only_changed('changed_conflict_ids', ['tenant_id', 'anonymous_id']) }}
)

select
    links.tenant_id as tenant_id,
    links.anonymous_id as anonymous_id,
    links.rejected_user_id as rejected_user_id,
    kept.user_id as kept_user_id,
    links.first_seen_at as first_seen_at,
    if(
        kept.is_identified,
        'the anonymous id is itself an identified id',
        'an earlier link or a merge takes precedence'
    ) as reason,
    {{ build_seq() }} as _build_seq
from links
inner join {{ people_of('ids') }} as kept
    on links.tenant_id = kept.tenant_id and links.anonymous_id = kept.distinct_id
inner join {{ people_of('ids') }} as rejected
    on links.tenant_id = rejected.tenant_id and links.rejected_user_id = rejected.distinct_id
where kept.user_id != rejected.user_id

union all

select
    shared.tenant_id as tenant_id,
    shared.distinct_id as anonymous_id,
    '' as rejected_user_id,
    kept.user_id as kept_user_id,
    null as first_seen_at,
    'too many accounts have its email or its id at the provider' as reason,
    {{ build_seq() }} as _build_seq
from shared
inner join {{ people_of('shared') }} as kept
    on shared.tenant_id = kept.tenant_id and shared.distinct_id = kept.distinct_id

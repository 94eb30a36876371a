{{ config(order_by=['tenant_id', 'anonymous_id', 'user_id']) }}
-- One row per pair of ids that accounts match, or matched before this build, where that can differ; without a user: an
-- id that names accounts that are too many to be matched.
{% call changes() %}
with touched as (
    select distinct
        tenant_id,
        arrayJoin(matched_by) as match
    from {{ ref('changed_accounts') }}
),

accounts as (
    select tenant_id, distinct_id, first_seen_at, matched_by
    from {{ ref('int_accounts') }}
    where arrayExists(one -> (tenant_id, one) in (select tenant_id, match from touched), matched_by)
),

accounts_before as (
    select tenant_id, distinct_id, first_seen_at, matched_by
    from accounts
    where (tenant_id, distinct_id) not in (select tenant_id, distinct_id from {{ ref('changed_accounts') }})
    union all
    select tenant_id, distinct_id, first_seen_at, matched_by
    from {{ ref('changed_accounts') }}
    where change = 'removed'
)

select tenant_id, anonymous_id, user_id
from ({{ account_matches('accounts') }})
union distinct
select tenant_id, anonymous_id, user_id
from ({{ account_matches('accounts_before') }})
{% endcall %}

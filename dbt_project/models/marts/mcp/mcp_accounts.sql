{{ config(order_by=['tenant_id', 'account_id']) }}
{% set key = ['tenant_id', 'distinct_id'] %}
{% set own = ['tenant_id', 'account_id'] %}
{% do follow('changed_accounts', key, own_columns=own) %}
{% do follow('changed_identities', key, own_columns=own) %}
-- One row per (tenant_id, account_id): an account of a synced source that did something in the tenant, and whose it is.
-- The one table that holds an email.
with accounts as {{ once() if is_incremental() }} (
    select tenant_id, distinct_id, first_seen_at, provider, source_tracking_id
    from {{ ref('int_accounts') }}
    {%- if is_incremental() %}
    where
        (tenant_id, distinct_id) in (
            select tenant_id, distinct_id from {{ ref('changed_accounts') }}
            union distinct
            select tenant_id, distinct_id from {{ ref('changed_identities') }}
        )
    {%- endif %}
),

emails as (
    select account_id, email
    from {{ ref('stg_accounts') }}
    {% if is_incremental() -%}
    where account_id in (select distinct_id from accounts)
    {%- endif %}
)

select
    accounts.tenant_id as tenant_id,
    accounts.distinct_id as account_id,
    people.user_id as user_id,
    emails.email as email,
    accounts.provider as provider,
    accounts.source_tracking_id as source_tracking_id,
    accounts.first_seen_at as first_seen_at,
    {{ build_seq() }} as _build_seq
from accounts
inner join {{ people_of('accounts') }} as people
    on accounts.tenant_id = people.tenant_id and accounts.distinct_id = people.distinct_id
left join emails on accounts.distinct_id = emails.account_id

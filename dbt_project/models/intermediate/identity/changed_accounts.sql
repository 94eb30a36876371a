{{ config(order_by=['tenant_id', 'distinct_id']) }}
-- Both images of every account whose row in `int_accounts` differs. An account is in the tenants where its id has
-- events, so it changes with what its source says of it, and with where its id was seen.
with known_accounts as (
    select key as account_id
    from {{ ref('stg_source_rows') }}
    where table_name in ('mcp_server_user', 'mcp_end_user')
),

{% if is_rebuilt() -%}
senders as (
    select tenant_id, distinct_id
    from {{ ref('int_id_days') }}
    where distinct_id in (select account_id from known_accounts)
    group by tenant_id, distinct_id
),
{%- else -%}
said_anew as (
    select if(table_name = 'mcp_server_session', document['account_id'], key) as account_id
    from {{ ref('stg_source_rows') }}
    where
        table_name in ('mcp_server_user', 'mcp_end_user', 'mcp_server_session')
        and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and change != '')
),

candidates as {{ once() }} (
    select tenant_id, distinct_id
    from {{ ref('changed_events') }}
    where distinct_id in (select account_id from known_accounts)
    group by tenant_id, distinct_id
    union distinct
    select tenant_id, distinct_id
    from {{ ref('int_id_days') }}
    where distinct_id in (select account_id from said_anew)
    group by tenant_id, distinct_id
),

senders as (
    select tenant_id, distinct_id
    from {{ ref('int_id_days') }}
    where {{ among(['tenant_id', 'distinct_id'], 'candidates') }}
    group by tenant_id, distinct_id
),
{%- endif %}

accounts as (
    select
        account_id,
        first_seen_at,
        matched_by,
        source_tracking_id,
        sipHash64(email) as email_hash
    from {{ ref('stg_accounts') }}
    {% if not is_rebuilt() -%}
    where account_id in (select distinct_id from candidates)
    {%- endif %}
),

-- that of the latest connection
providers as (
    select
        connections.account_id as account_id,
        argMax(connections.provider, (connections.connected_at, connections.connection_id)) as provider
    from {{ ref('stg_mcp_connections') }} as connections
    where
        connections.provider != ''
        {% if not is_rebuilt() -%}
        and connections.account_id in (select distinct_id from candidates)
        {%- endif %}
    group by account_id
),

images as (
    select
        senders.tenant_id as tenant_id,
        senders.distinct_id as distinct_id,
        accounts.first_seen_at as first_seen_at,
        accounts.matched_by as matched_by,
        providers.provider as provider,
        accounts.source_tracking_id as source_tracking_id,
        accounts.email_hash as email_hash,
        'added' as change
    from senders
    inner join accounts on senders.distinct_id = accounts.account_id
    left join providers on senders.distinct_id = providers.account_id
    union all
    select
        tenant_id,
        distinct_id,
        first_seen_at,
        matched_by,
        provider,
        source_tracking_id,
        email_hash,
        'removed' as change
    from {{ accounts_before() }}
    {% if not is_rebuilt() -%}
    where {{ among(['tenant_id', 'distinct_id'], 'candidates') }}
    {%- endif %}
)

select
    tenant_id,
    distinct_id,
    first_seen_at,
    matched_by,
    provider,
    source_tracking_id,
    email_hash,
    any(images.change) as change
from images
group by tenant_id, distinct_id, first_seen_at, matched_by, provider, source_tracking_id, email_hash
-- what is in both images is as it was
having count() = 1

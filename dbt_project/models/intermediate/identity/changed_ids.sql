{{ config(order_by=['tenant_id', 'distinct_id']) }}
-- One row per id of which something new is known: a link of it came, went or changed, or its first sight or its
-- standing as an identified id differs from what `identities` says.
{% call changes() %}
with candidates as {{ once() }} (
    select distinct
        tenant_id,
        distinct_id
    from (
        select tenant_id, distinct_id from {{ ref('changed_events') }}
        union all
        select tenant_id, anonymous_id from {{ ref('changed_links') }}
        union all
        select tenant_id, user_id from {{ ref('changed_links') }}
    )
),

facts as ({{ id_facts('candidates') }}),

known as (
    select
        tenant_id,
        distinct_id,
        is_identified,
        first_seen_at
    from {{ identities_before() }}
    where {{ among(['tenant_id', 'distinct_id'], 'candidates') }}
)

select
    tenant_id,
    distinct_id
from candidates
where
    (tenant_id, distinct_id) in (select tenant_id, anonymous_id from {{ ref('changed_links') }})
    or (tenant_id, distinct_id) in (select tenant_id, user_id from {{ ref('changed_links') }})
    or (tenant_id, distinct_id) in (
        select tenant_id, distinct_id
        from (
            select tenant_id, distinct_id, is_identified, first_seen_at from facts
            union all
            select tenant_id, distinct_id, is_identified, first_seen_at from known
        )
        group by tenant_id, distinct_id, is_identified, first_seen_at
        -- a row that stands alone is in only one of the two
        having count() = 1
    )
{% endcall %}

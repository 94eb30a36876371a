{{ config(order_by=['tenant_id', 'distinct_id']) }}
-- One row per id whose person is worked out again: the changed ids, everybody in their people so far, all ids that
-- links lead to from there, and everybody in the people of those. No link leads from the changed ids out of this set,
-- so working out people inside it gives what working out all of them would.
{% if is_rebuilt() -%}
with facts as ({{ id_facts() }})

select tenant_id, distinct_id, true as is_known, is_identified, first_seen_at
from facts
{%- else -%}
with changed as (
    select tenant_id, distinct_id from {{ ref('changed_ids') }}
),

known as (
    select tenant_id, distinct_id, user_id from {{ identities_before() }}
),

people_of_changed as {{ once() }} (
    select tenant_id, distinct_id from changed
    union distinct
    select tenant_id, distinct_id
    from known
    where (tenant_id, user_id) in (
        select tenant_id, user_id
        from known
        where {{ among(['tenant_id', 'distinct_id'], 'changed') }}
    )
),

neighbours as {{ once() }} (
    -- qualified, because a bare distinct_id would be the alias
    select distinct links.tenant_id as tenant_id, links.other_id as distinct_id
    from {{ ref('int_links') }} as links
    where (links.tenant_id, links.distinct_id) in (select tenant_id, distinct_id from people_of_changed)
),

people_of_neighbours as (
    select tenant_id, distinct_id
    from known
    where (tenant_id, user_id) in (
        select tenant_id, user_id
        from known
        where (tenant_id, distinct_id) in (select tenant_id, distinct_id from neighbours)
    )
),

scope as {{ once() }} (
    select tenant_id, distinct_id from people_of_changed
    union distinct
    select tenant_id, distinct_id from neighbours
    union distinct
    select tenant_id, distinct_id from people_of_neighbours
),

facts as ({{ id_facts('scope') }})

select
    scope.tenant_id as tenant_id,
    scope.distinct_id as distinct_id,
    facts.distinct_id != '' as is_known,
    facts.is_identified as is_identified,
    facts.first_seen_at as first_seen_at
from scope
left join facts on scope.tenant_id = facts.tenant_id and scope.distinct_id = facts.distinct_id
{%- endif %}

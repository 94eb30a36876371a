{{ config(order_by=['tenant_id', 'distinct_id']) }}
-- One row per id whose row in `identities` differs, with the old and the new image ('' as user: no such row).
-- A group of merged ids with an identified id among them is a person. A group without belongs to the user of its
-- EARLIEST link: later links to somebody else do not merge two people.
with members as (
    select tenant_id, distinct_id, is_identified, first_seen_at, component
    from {{ ref('changed_components') }}
),

anonymous_components as (
    select tenant_id, component
    from members
    group by tenant_id, component
    having max(is_identified) = 0
),

attachments as (
    select
        members.tenant_id as tenant_id,
        members.component as component,
        argMin(links.other_id, ({{ unknown_last('links.first_seen_at') }}, links.other_id)) as attached_to
    from members
    inner join {{ ref('int_links') }} as links
        on members.tenant_id = links.tenant_id and members.distinct_id = links.distinct_id
    where
        links.side = 'anonymous'
        and links.kind = 'link'
        and (members.tenant_id, members.component) in (select tenant_id, component from anonymous_components)
    group by tenant_id, component
),

people as (
    select
        attachments.tenant_id as tenant_id,
        attachments.component as component,
        users.component as person
    from attachments
    inner join members as users
        on attachments.tenant_id = users.tenant_id and attachments.attached_to = users.distinct_id
),

assigned as (
    select
        members.tenant_id as tenant_id,
        members.distinct_id as distinct_id,
        members.is_identified as is_identified,
        members.first_seen_at as first_seen_at,
        if(people.person != '', people.person, members.component) as person
    from members
    left join people on members.tenant_id = people.tenant_id and members.component = people.component
),

named as (
    select
        tenant_id,
        person,
        argMin(distinct_id, (not is_identified, {{ unknown_last('first_seen_at') }}, distinct_id)) as user_id
    from assigned
    group by tenant_id, person
),

images as (
    select
        assigned.tenant_id as tenant_id,
        assigned.distinct_id as distinct_id,
        named.user_id as user_id,
        assigned.is_identified as is_identified,
        assigned.first_seen_at as first_seen_at,
        1 as is_new
    from assigned
    inner join named on assigned.tenant_id = named.tenant_id and assigned.person = named.person
    union all
    select
        tenant_id,
        distinct_id,
        user_id,
        is_identified,
        first_seen_at,
        0 as is_new
    from {{ identities_before() }}
    where {{ among(['tenant_id', 'distinct_id'], ref('changed_identity_scope')) }}
)

select
    tenant_id,
    distinct_id,
    maxIf(user_id, not is_new) as old_user_id,
    maxIf(user_id, is_new) as new_user_id,
    maxIf(is_identified, not is_new) as old_is_identified,
    maxIf(is_identified, is_new) as new_is_identified,
    maxIf(first_seen_at, is_new) as new_first_seen_at,
    old_user_id != new_user_id or old_is_identified != new_is_identified as is_moved
from images
group by tenant_id, distinct_id
having is_moved or maxIf(first_seen_at, not is_new) is distinct from new_first_seen_at

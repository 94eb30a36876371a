{#
    Which ids are of one person, by what accounts (a CTE or relation with tenant_id, distinct_id, first_seen_at,
    matched_by) have in common: each of a group with the one that was there first, which gives the same people as all
    pairs would. A group of too many is no person (a test address, a shared mailbox): it gives one row, of its first id,
    without a user.
#}
{% macro account_matches(accounts) %}
    select distinct
        tenant_id,
        if(is_person, one, first_id) as anonymous_id,
        if(is_person, first_id, '') as user_id
    from (
        select
            tenant_id,
            match,
            argMin(distinct_id, ({{ unknown_last('first_seen_at') }}, distinct_id)) as first_id,
            groupUniqArray(distinct_id) as ids,
            length(ids) <= {{ var('max_ids_of_a_match') }} as is_person
        from {{ accounts }}
        array join matched_by as match
        group by tenant_id, match
        having length(ids) > 1
    )
    array join ids as one
    where one != first_id or not is_person
{% endmacro %}


{# Of accounts, those that have something in common with one of the ids that a feed names, itself included. #}
{% macro accounts_matching(feed) -%}
    arrayExists(
        one -> (tenant_id, one) in (
            select tenant_id, arrayJoin(matched_by)
            from {{ ref('int_accounts') }}
            where (tenant_id, distinct_id) in (select tenant_id, anonymous_id from {{ ref(feed) }})
        ),
        matched_by
    )
{%- endmacro %}


{# The accounts before this build. #}
{% macro accounts_before() -%}
    {{ before('int_accounts', {
        'tenant_id': 'String', 'distinct_id': 'String', 'first_seen_at': "Nullable(DateTime64(6, \\'UTC\\'))",
        'matched_by': 'Array(UInt64)', 'provider': 'String', 'source_tracking_id': 'String',
        'email_hash': 'UInt64'
    }) }}
{%- endmacro %}

{# The share of calls that succeeded among those that say whether they did, 0 to 1; NULL if none says so. #}
{% macro success_rate(succeeded, failed) -%}
    if({{ succeeded }} + {{ failed }} = 0, null, {{ succeeded }} / ({{ succeeded }} + {{ failed }}))
{%- endmacro %}


{# A quantile of the numbers in arrays, exactly; NULL if there is none. #}
{% macro exact_quantile(share, numbers) -%}
    if(sum(length({{ numbers }})) = 0, null, quantileExactInclusiveArray({{ share }})({{ numbers }}))
{%- endmacro %}


{# The mean of the numbers in arrays; NULL if there is none. #}
{% macro mean_of_arrays(numbers) -%}
    if(sum(length({{ numbers }})) = 0, null, sum(arraySum({{ numbers }})) / sum(length({{ numbers }})))
{%- endmacro %}


{# Whether what ends at `ended_at` (NULL: never) had not ended when the tenant's source was read last. #}
{% macro is_open(ended_at, tenants) -%}
    {{ ended_at }} is null or {{ ended_at }} > coalesce({{ tenants }}.read_at, toDateTime64({{ tenants }}.as_of_date + 1, 6, 'UTC'))
{%- endmacro %}


{#
    The CTEs that give `top_tools` by `keys`: the tools with the most calls of each (a tie: by name), with their calls and
    people, out of the CTE `calls` (keys, tool_name, user_id, calls_count).
#}
{% macro top_tools(calls, keys) -%}
    tools as (
        select
            {{ keys | join(', ') }},
            tool_name,
            sum(calls_count) as calls,
            uniqExactIf(user_id, user_id != '') as users
        from {{ calls }}
        group by {{ keys | join(', ') }}, tool_name
    ),

    top_tools as (
        select
            {{ keys | join(', ') }},
            arrayMap(
                found -> (found.2, toUInt64(-found.1), found.3),
                arraySlice(arraySort(groupArray((-toInt64(calls), tool_name, users))), 1, {{ var('top_list_size') }})
            ) as top_tools
        from tools
        group by {{ keys | join(', ') }}
    )
{%- endmacro %}


{# The person of each call, out of what each id did: calls of nobody have none. #}
{% macro calls_of_people() %}
    select
        calls.tenant_id as tenant_id,
        identities.user_id as user_id,
        calls.event_date as date,
        calls.server_id as server_id,
        calls.tool_name as tool_name,
        calls.calls_count as calls_count,
        calls.failed_count as failed_count,
        calls.first_at as first_at,
        calls.last_at as last_at
    from {{ ref('int_mcp_id_days') }} as calls
    inner join {{ ref('identities') }} as identities
        on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
    where calls.distinct_id != ''
{% endmacro %}


{#
    The prices of the months of tenants that `months` (a CTE with tenant_id, month) has: those that hold on the first of the
    month, the tenant's own if it has any, else those of all.
#}
{% macro mcp_prices_of(months) %}
    select
        priced.tenant_id as tenant_id,
        priced.month as month,
        prices.per_active_user as per_active_user,
        prices.per_call as per_call,
        prices.currency as currency
    from (
        select distinct
            tenant_id,
            month,
            if(tenant_id in (select tenant_id from {{ ref('mcp_prices') }}), tenant_id, '') as price_of
        from {{ months }}
    ) as priced
    asof left join {{ ref('mcp_prices') }} as prices
        on priced.price_of = prices.tenant_id and priced.month >= prices.valid_from
{% endmacro %}

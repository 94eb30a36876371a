{{ config(order_by=['tenant_id', 'matcher_id']) }}
-- One row per pair of event and filter that a tenant's definitions look for, or looked for before this build. The days
-- on which people did such an event are kept; of a new pair they are found in the whole history.
with pairs as (
    select
        tenant_id,
        arrayJoin(arrayConcat(
            if(
                is_current,
                [(target_event, target_filter, 1), (return_event, return_filter, 1)],
                []
            ),
            if(
                kind_before != '',
                [(target_event_before, target_filter_before, 0), (return_event_before, return_filter_before, 0)],
                []
            )
        )) as pair
    from {{ ref('changed_retention_definitions') }}
)

select
    tenant_id,
    {{ matcher_id('event', 'filter') }} as matcher_id,
    pair.1 as event,
    pair.2 as filter,
    {{ filter_conditions('filter') }} as conditions,
    max(pair.3) and not max(not pair.3) as is_new,
    not max(pair.3) as is_gone
from pairs
group by tenant_id, event, filter

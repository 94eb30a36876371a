{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='MergeTree()',
    order_by=['tenant_id', 'funnel_id', 'step_number'],
    indexes=[{'name': 'build_seq_range', 'definition': '_build_seq TYPE minmax GRANULARITY 1'}],
    pre_hook="{{ delete_changed('changed_funnels', ['tenant_id', 'funnel_id']) }}",
) }}
-- One row per (tenant_id, funnel_id, step_number): the funnels as they hold for each tenant.
select
    tenant_id,
    funnel_id,
    step_number,
    name,
    step_name,
    event,
    event_filter,
    window_seconds,
    mode,
    {{ build_seq() }} as _build_seq
from {{ ref('stg_funnel_steps') }}
where
    1
    {{ only_changed('changed_funnels', ['tenant_id', 'funnel_id']) }}

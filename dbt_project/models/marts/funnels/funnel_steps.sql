{{ config(order_by=['tenant_id', 'funnel_id', 'step_number']) }}
{% set changed = follow('changed_funnels', ['tenant_id', 'funnel_id']) %}
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
    {{ changed }}

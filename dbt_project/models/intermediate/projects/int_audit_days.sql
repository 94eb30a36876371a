{{ config(order_by=['date', 'action', 'entity_type', 'entity_id', 'actor_id']) }}
{% set of_audit = "table_name = 'audit_logs'" %}
{% do follow('changed_log_days', ['date'], where=of_audit) %}
-- One row per (date, action, entity_type, entity_id, actor_id): what staff did. Whose project that was is found out
-- where it is read, because what it was done to may be read later.
select
    toDate(created_at) as date,
    document['action'] as action,
    document['entity_type'] as entity_type,
    document['entity_id'] as entity_id,
    document['user_id'] as actor_id,
    count() as actions_count,
    {{ build_seq() }} as _build_seq
from {{ ref('stg_project_logs') }}
where
    {{ of_audit }}
    {{ only_changed('changed_log_days', ['date'], where=of_audit, own_columns=['toDate(created_at)']) }}
group by date, action, entity_type, entity_id, actor_id

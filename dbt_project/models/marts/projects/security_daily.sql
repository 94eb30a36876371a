{{ config(order_by=['tenant_id', 'date']) }}
{% set of_staff = "table_name in ('user_sessions', 'password_reset_tokens')" %}
{% do follow('changed_log_days', ['date'], where=of_staff) %}
-- One row per (tenant_id, date), of no tenant: logins of staff to the platform and resets of their passwords.
select
    '' as tenant_id,
    toDate(created_at) as date,
    countIf(table_name = 'user_sessions') as logins_count,
    countIf(table_name = 'password_reset_tokens') as resets_requested_count,
    countIf(table_name = 'password_reset_tokens' and document['is_used'] = '1') as resets_used_count,
    {{ build_seq() }} as _build_seq
from {{ ref('stg_project_logs') }}
where
    {{ of_staff }}
    {{ only_changed('changed_log_days', ['date'], where=of_staff, own_columns=['toDate(created_at)']) }}
group by date

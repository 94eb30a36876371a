{{ config(order_by=['tenant_id', 'source', 'hour', 'error_type']) }}
{% set of_system = "table_name = 'system_logs'" %}
{% do follow('changed_log_days', ['date'], where=of_system, own_columns=['toDate(hour)']) %}
-- One row per (tenant_id, source, error_type, hour), of no tenant: what a platform reported of itself as an error. The
-- messages are the first ten, not any ten.
select
    '' as tenant_id,
    source,
    coalesce(nullIf(JSONExtractString(document['details'], 'error_type'), ''), document['component']) as error_type,
    toDateTime64(toStartOfHour(created_at), 6, 'UTC') as hour,
    count() as errors_count,
    arraySort(groupUniqArray(document['component'])) as components,
    arraySlice(
        arrayMap(found -> found.3, arraySort(groupArray((created_at, key, document['message'])))), 1, 10
    ) as sample_messages,
    {{ build_seq() }} as _build_seq
from {{ ref('stg_project_logs') }}
where
    {{ of_system }}
    and lower(document['level']) in ('error', 'fatal', 'critical')
    {{ only_changed('changed_log_days', ['date'], where=of_system, own_columns=['toDate(created_at)']) }}
group by source, error_type, hour

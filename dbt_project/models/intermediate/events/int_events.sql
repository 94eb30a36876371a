{{ config(
    order_by=['tenant_id', 'event_date', 'session_key', 'timestamp', 'event_id'],
    partition_by='toYYYYMM(event_date)',
    meta={'rebuilt_with': ['int_build_range']},
    settings={'index_granularity': 1024, 'enable_block_number_column': 1, 'enable_block_offset_column': 1},
    query_settings={'short_circuit_function_evaluation': 'force_enable', 'min_insert_block_size_bytes': 134217728},
) }}
{% do follow(
    'changed_duplicates',
    ['tenant_id', 'event_date', 'session_key', 'timestamp', 'event_id'],
    where='is_changed and has_old'
) %}
-- One row per event: (tenant_id, event_date, event_id), the winning version of each. Sorted by what is cut into
-- sessions, so that a session is read in one place; the granules are small because a late event touches just one.
-- Few events are contested, and only those need be looked for among the winners: hence the short circuit. Blocks are
-- half the usual size: sorted copies of wide rows take more memory than all else in a build.
{% set columns = event_columns() %}
with added_loads as (
    select load_id
    from {{ ref('stg_loads') }}
    where table_name = 'events' and change = 'added'
),

winners as (
    select
        tenant_id,
        event_date,
        event_id,
        new_load_id as load_id,
        new_line as line
    from {{ ref('changed_duplicates') }}
    where is_changed and has_new
),

came as (
    select tenant_id, event_date, {{ columns | join(', ') }}
    from {{ ref('stg_events') }}
    where
        load_id in (added_loads)
        and (load_id, line) not in (
            select load_id, line from {{ ref('stg_erased_rows') }} where table_name = 'events' and is_erased
        )
        and (
            (tenant_id, event_date, event_id) not in (
                select tenant_id, event_date, event_id from {{ ref('changed_duplicates') }}
            )
            or (tenant_id, event_date, event_id, load_id, line) in (winners)
        )
),

-- what an older load says, too, now that the version that stood before it is withdrawn
came_back as (
    select tenant_id, event_date, {{ columns | join(', ') }}
    from {{ ref('stg_events') }}
    where
        (tenant_id, event_date, event_id, load_id, line) in (
            select tenant_id, event_date, event_id, load_id, line
            from winners
            where load_id not in (added_loads)
        )
)

select
    tenant_id,
    event_date,
    {{ columns | join(',\n    ') }},
    {{ build_seq() }} as _build_seq
from (
    select * from came
    union all
    select * from came_back
)

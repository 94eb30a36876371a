{{ config(
    order_by=['tenant_id', 'distinct_id'],
    meta={'rebuilt_with': ['changed_identity_scope']},
    settings={'index_granularity': 1024, 'enable_block_number_column': 1, 'enable_block_offset_column': 1},
) }}
{% do follow(
    'changed_identity_rows',
    ['tenant_id', 'distinct_id'],
    indexes=[{'name': 'ids_of_a_person', 'definition': 'user_id TYPE bloom_filter(0.01) GRANULARITY 1'}]
) %}
-- One row per (tenant_id, distinct_id): whom an id belongs to.
select
    tenant_id,
    distinct_id,
    new_user_id as user_id,
    new_is_identified as is_identified,
    new_first_seen_at as first_seen_at,
    {{ build_seq() }} as _build_seq
from {{ ref('changed_identity_rows') }}
where new_user_id != ''

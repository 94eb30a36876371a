{{ config(materialized='view', settings={}) }}
-- One row per id that changed its person, or its standing as an identified id; '' as user: the id did not exist.
select
    tenant_id,
    distinct_id,
    old_user_id,
    new_user_id,
    old_is_identified,
    new_is_identified
from {{ ref('changed_identity_rows') }}
where is_moved

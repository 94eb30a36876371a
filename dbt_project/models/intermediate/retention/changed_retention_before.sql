{{ config(order_by=['tenant_id', 'user_id', 'date']) }}
-- The rows of int_retention_days of people whose days can differ, as they were before this build.
select
    tenant_id,
    user_id,
    date,
    matcher_id
from {{ before('int_retention_days', {
    'tenant_id': 'String', 'user_id': 'String', 'date': 'Date', 'matcher_id': 'UInt64'
}) }}
where {{ among(['tenant_id', 'user_id'], ref('changed_user_days')) }}

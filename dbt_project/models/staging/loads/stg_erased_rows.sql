-- One row per raw row that an erasure or a cut takes, with its standing before and after this build. A raw row counts
-- if its load stands and no erasure or cut that stands takes it: nowhere else is that decided.
select
    erased.table as table_name,
    erased.row_load_id as load_id,
    erased.row_line as line,
    erased.tenant_id as tenant_id,
    erased.event_date as event_date,
    erased.event_id as event_id,
    max(loads.was_live) as was_erased,
    max(loads.is_live) as is_erased
from {{ source('raw', 'erased_rows') }} as erased
inner join {{ ref('stg_loads') }} as loads on erased.load_id = loads.load_id
group by table_name, load_id, line, tenant_id, event_date, event_id

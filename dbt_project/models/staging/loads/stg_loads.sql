-- One row per committed load, with its standing before and after this build.
with ledger as (
    select
        load_id,
        load_seq,
        load_order,
        loads.table as table_name,
        rows_accepted,
        rows_rejected,
        superseded_seq
    from {{ source('raw', 'loads') }} as loads final
    where load_seq > 0
)

select
    load_id,
    load_seq,
    load_order,
    table_name,
    rows_accepted,
    rows_rejected,
    load_seq <= build.from_seq and (superseded_seq = 0 or superseded_seq > build.from_seq) as was_live,
    load_seq <= build.to_seq and (superseded_seq = 0 or superseded_seq > build.to_seq) as is_live,
    multiIf(is_live and not was_live, 'added', was_live and not is_live, 'removed', '') as change
from ledger
cross join {{ ref('int_build_range') }} as build

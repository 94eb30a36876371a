-- One row per tenant whose daily figures were ever cut: the dates before which they do not count, before and after this
-- build.
select
    cuts.tenant_id as tenant_id,
    maxIf(cuts.before_date, loads.was_live) as was_before,
    maxIf(cuts.before_date, loads.is_live) as is_before
from {{ source('raw', 'cuts') }} as cuts
inner join {{ ref('stg_loads') }} as loads on cuts.load_id = loads.load_id
where cuts.what = 'daily'
group by tenant_id

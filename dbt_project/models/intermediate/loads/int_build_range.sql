{{ config(order_by='to_seq') }}
-- One row: the build handles the loads with from_seq < load_seq <= to_seq. from_seq is what the tables already
-- contain, so it is read from the row that the build before published together with them.
{% set previous = load_relation(this) if execute and not flags.FULL_REFRESH else none %}
select
    {{ 'assumeNotNull((select max(to_seq) from ' ~ previous ~ '))' if previous else 'toUInt64(0)' }} as from_seq,
    assumeNotNull((select max(load_seq) from {{ source('raw', 'loads') }} final)) as to_seq,
    toUInt8({{ 0 if previous else 1 }}) as is_full_build

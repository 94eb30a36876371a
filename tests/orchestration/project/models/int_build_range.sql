select toUInt64(0) as from_seq, max(load_seq) as to_seq from {{ source('raw', 'loads') }} final

select toUInt64(0) as from_seq, max(greatest(load_seq, superseded_seq)) as to_seq from {{ source('raw', 'loads') }} final

-- The raw layer. Every row carries the load_id that wrote it and exists only once raw.loads says so.
-- {raw:Identifier} and {published:Identifier} are the database names of the settings.

CREATE DATABASE IF NOT EXISTS {raw:Identifier};

CREATE DATABASE IF NOT EXISTS {published:Identifier};

-- The ledger: one row per load (the newest version counts: read it with FINAL).
-- A load stands from load_seq on until superseded_seq (0: it still stands).
CREATE TABLE IF NOT EXISTS {raw:Identifier}.loads
(
    load_id         String,
    load_seq        UInt64,
    `table`         LowCardinality(String),
    path            String,
    content_hash    String,
    partition       String,
    rows_accepted   UInt64,
    rows_rejected   UInt64,
    rows_duplicate  UInt64,
    status          LowCardinality(String),
    superseded_seq  UInt64,
    committed_at    DateTime64(6, 'UTC'),
    version         UInt64,
    -- load_seq, but for rows that were read again: they keep the place of the reading before
    load_order      UInt64 DEFAULT load_seq,
    -- the contracts that rows were read by, a hash of all that they say, and the options of the command as JSON
    contract        String,
    contract_hash   String,
    options         String
)
ENGINE = ReplacingMergeTree(version)
ORDER BY load_id;

-- Tables of an older version do not have them.
ALTER TABLE {raw:Identifier}.loads
    ADD COLUMN IF NOT EXISTS load_order UInt64 DEFAULT load_seq,
    ADD COLUMN IF NOT EXISTS contract String,
    ADD COLUMN IF NOT EXISTS contract_hash String,
    ADD COLUMN IF NOT EXISTS options String;

-- Every row as it came, byte for byte, accepted or rejected; of CSV and Parquet as a JSON document. All raw tables are
-- readings of these lines. `problem` says why a row could not even become a line.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.lines
(
    load_id  String,
    line     UInt64 CODEC(Delta, ZSTD(1)),
    text     String CODEC(ZSTD(1)),
    problem  LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY (load_id, line);

-- What the rows of a load were, counted while they were written: of which tenant and tracker, accepted or not, of
-- nobody, with values that nobody could read, and which of the user's own paths they have (a bit for each).
CREATE TABLE IF NOT EXISTS {raw:Identifier}.load_counts
(
    load_id             String,
    tenant_id           String,
    tracker             LowCardinality(String),
    is_read             UInt8,
    is_accepted         UInt8,
    is_of_nobody        UInt8,
    unreadable_amounts  UInt8,
    unreadable_times    UInt8,
    mapped              UInt64,
    `rows`              UInt64
)
ENGINE = SummingMergeTree(`rows`)
ORDER BY (
    load_id, tenant_id, tracker, is_read, is_accepted, is_of_nobody, unreadable_amounts, unreadable_times, mapped
);

CREATE TABLE IF NOT EXISTS {raw:Identifier}.events
(
    load_id           String,
    line              UInt64,
    tenant_id         String,
    event_id          String,
    event_date        Date,
    event             LowCardinality(String),
    event_type        LowCardinality(String),
    timestamp         DateTime64(6, 'UTC'),
    received_at       Nullable(DateTime64(6, 'UTC')),
    distinct_id       String,
    user_id           String,
    anonymous_id      String,
    previous_id       String,
    is_identified     UInt8,
    session_id        String,
    device_id         String,
    current_url       String,
    host              String,
    pathname          String,
    referrer          String,
    referring_domain  String,
    utm_source        String,
    utm_medium        String,
    utm_campaign      String,
    utm_term          String,
    utm_content       String,
    click_ids         Map(LowCardinality(String), String),
    browser           String,
    os                String,
    device_type       String,
    user_agent        String,
    timezone          String,
    country           String,
    city              String,
    ip_address        String,
    revenue           Nullable(Decimal(38, 6)),
    currency          String,
    elements_chain    String,
    properties        String,
    attributes_set       String,
    attributes_set_once  String,
    -- load ids grow with time, so the rows of a new load are found without reading the old ones
    INDEX load_id_range load_id TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_date)
-- sorted by the key of an event: all versions of one event lie side by side, whatever load brought them
ORDER BY (tenant_id, event_date, event_id, load_id, line)
-- small granules: a late event is one lookup, not a day. A load writes small parts: with a file and its buffers for
-- each of so many columns they would take more memory than all else.
SETTINGS index_granularity = 512, min_bytes_for_wide_part = 134217728;

-- Tables of an older version are otherwise.
ALTER TABLE {raw:Identifier}.events
    ADD COLUMN IF NOT EXISTS previous_id String AFTER anonymous_id,
    ADD COLUMN IF NOT EXISTS attributes_set String,
    ADD COLUMN IF NOT EXISTS attributes_set_once String,
    DROP COLUMN IF EXISTS content_hash,
    MODIFY COLUMN received_at Nullable(DateTime64(6, 'UTC')),
    MODIFY COLUMN revenue Nullable(Decimal(38, 6));

CREATE TABLE IF NOT EXISTS {raw:Identifier}.identity_mappings
(
    load_id        String,
    line           UInt64,
    tenant_id      String,
    anonymous_id   String,
    user_id        String,
    kind           LowCardinality(String),
    first_seen_at  Nullable(DateTime64(6, 'UTC')),
    created_at     Nullable(DateTime64(6, 'UTC')),
    is_deleted     UInt8
)
ENGINE = MergeTree
ORDER BY (load_id, tenant_id, anonymous_id, user_id);

CREATE TABLE IF NOT EXISTS {raw:Identifier}.funnel_steps
(
    load_id         String,
    line            UInt64,
    tenant_id       String,
    funnel_id       String,
    name            String,
    step_number     UInt16,
    step_name       String,
    event           String,
    event_filter    String,
    window_seconds  UInt32,
    mode            LowCardinality(String),
    is_deleted      UInt8
)
ENGINE = MergeTree
ORDER BY (load_id, tenant_id, funnel_id, step_number);

-- Tables of an older version do not have it.
ALTER TABLE {raw:Identifier}.funnel_steps ADD COLUMN IF NOT EXISTS is_deleted UInt8;

CREATE TABLE IF NOT EXISTS {raw:Identifier}.retention_definitions
(
    load_id        String,
    line           UInt64,
    tenant_id      String,
    retention_id   String,
    name           String,
    target_event   String,
    target_filter  String,
    return_event   String,
    return_filter  String,
    kind           LowCardinality(String),
    period         LowCardinality(String),
    is_deleted     UInt8
)
ENGINE = MergeTree
ORDER BY (load_id, tenant_id, retention_id);

ALTER TABLE {raw:Identifier}.retention_definitions ADD COLUMN IF NOT EXISTS is_deleted UInt8;

-- What no load accepted, with the reason, so that nothing is ever dropped silently.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.rejected_rows
(
    load_id   String,
    path      String,
    line      UInt64,
    reason    LowCardinality(String),
    original  String
)
ENGINE = MergeTree
ORDER BY (load_id, line);

-- The key of the tracking ids, as the two padded blocks of HMAC; one row, written by warehouse.tracking_key.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.tracking_key
(
    `inner`  String,
    `outer`  String
)
ENGINE = MergeTree
ORDER BY tuple();

-- The keys of the HTTP service; of a key only its hash is kept. The newest version of a key counts: read it with FINAL.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.api_keys
(
    key_id      String,
    tenant_id   String,
    scope       LowCardinality(String),
    key_hash    String,
    created_at  DateTime64(3, 'UTC'),
    expires_at  Nullable(DateTime64(3, 'UTC')),
    revoked_at  Nullable(DateTime64(3, 'UTC'))
)
ENGINE = ReplacingMergeTree
ORDER BY key_id;

-- Every call of the HTTP service: no parameters and nothing of a person, so that it can be kept.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.api_calls
(
    at            DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    key_id        LowCardinality(String),
    endpoint      LowCardinality(String),
    tenant_id     LowCardinality(String),
    status        UInt16,
    `rows`        UInt64,
    milliseconds  Float64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY at;

-- The key of the hashes below: made once, and never changed, or nobody would know who was erased.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.erasure_key
(
    k0  UInt64,
    k1  UInt64
)
ENGINE = MergeTree
ORDER BY tuple();

-- Who was erased: a keyed hash of each of their ids, so that no file that comes later brings anybody back.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.erasures
(
    load_id    String,
    tenant_id  String,
    id_hash    FixedString(16)
)
ENGINE = MergeTree
ORDER BY (tenant_id, id_hash, load_id);

-- For how many days a tenant keeps what; without a tenant: whoever has no line of its own. 0 days: for ever.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.retention_policies
(
    tenant_id  String,
    what       LowCardinality(String),
    keep_days  UInt32,
    set_at     DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(set_at)
ORDER BY (tenant_id, what);

-- Cuts: what lies before the date is not kept, of events (what: events) or of daily figures (what: daily).
CREATE TABLE IF NOT EXISTS {raw:Identifier}.cuts
(
    load_id      String,
    tenant_id    String,
    what         LowCardinality(String),
    before_date  Date
)
ENGINE = MergeTree
ORDER BY (tenant_id, what, load_id);

-- What was said of days that are cut, as it was published last.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.kept_session_stats
(
    load_id                           String,
    tenant_id                         String,
    date                              Date,
    sessions_count                    UInt64,
    identified_sessions_count         UInt64,
    identified_sessions_pct           Float64,
    became_identified_sessions_count  UInt64,
    users_count                       UInt64,
    new_users_count                   UInt64,
    avg_duration_seconds              Float64,
    median_duration_seconds           Float64,
    avg_pageviews_per_session         Float64,
    bounce_rate                       Float64,
    sessions_with_attribution_count   UInt64,
    sessions_with_utm_count           UInt64,
    sessions_with_referrer_count      UInt64,
    top_utm_source                    String,
    top_utm_medium                    String,
    top_utm_campaign                  String,
    top_utm_sources                   Array(Tuple(String, UInt64)),
    top_utm_mediums                   Array(Tuple(String, UInt64)),
    top_utm_campaigns                 Array(Tuple(String, UInt64)),
    revenue                           Decimal(38, 6)
)
ENGINE = MergeTree
ORDER BY (tenant_id, date, load_id);

CREATE TABLE IF NOT EXISTS {raw:Identifier}.kept_event_hours
(
    load_id              String,
    tenant_id            String,
    event                LowCardinality(String),
    date                 Date,
    hour                 UInt8,
    events_count         UInt64,
    nobody_events_count  UInt64,
    users_count          UInt64
)
ENGINE = MergeTree
ORDER BY (tenant_id, date, event, hour, load_id);

-- The raw rows that an erasure or a cut takes: those that stood in its way when it was committed. They go from the disk, and from
-- here, once no published table holds what came of them.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.erased_rows
(
    load_id      String,
    `table`      LowCardinality(String),
    row_load_id  String,
    row_line     UInt64,
    tenant_id    String,
    event_date   Date,
    event_id     String
)
ENGINE = MergeTree
ORDER BY (`table`, tenant_id, event_date, event_id);

-- Rows of operational databases: every version of a row that a sync found, and one marked as deleted once it was gone.
-- What is known of a key is its version of the latest load that stands. The document holds what is not NULL.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.source_rows
(
    load_id     String,
    source      LowCardinality(String),
    `table`     LowCardinality(String),
    key         String,
    is_deleted  UInt8,
    row_hash    UInt128,
    document    Map(LowCardinality(String), String)
)
ENGINE = MergeTree
ORDER BY (source, `table`, key, load_id);

-- The rows of one table as a sync reads them, before they are compared with what is known.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.source_snapshot
(
    source    LowCardinality(String),
    `table`   LowCardinality(String),
    key       String,
    row_hash  UInt128,
    document  Map(LowCardinality(String), String)
)
ENGINE = MergeTree
ORDER BY (source, `table`, key);

-- What each sync read of each table, and when.
CREATE TABLE IF NOT EXISTS {raw:Identifier}.source_syncs
(
    load_id        String,
    source         LowCardinality(String),
    `table`        LowCardinality(String),
    mode           LowCardinality(String),
    read_at        DateTime64(6, 'UTC'),
    rows_seen      UInt64,
    rows_changed   UInt64,
    rows_deleted   UInt64,
    rows_rejected  UInt64,
    cursor_from    String,
    cursor_to      String
)
ENGINE = MergeTree
ORDER BY (source, `table`, load_id);

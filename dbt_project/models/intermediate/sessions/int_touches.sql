{{ config(order_by=['tenant_id', 'user_id', 'session_start', 'session_id']) }}
{% do follow('changed_session_rows', ['tenant_id', 'user_id', 'session_start', 'session_id']) %}
-- One row per touch: a session that carries any UTM, a click id or an outside referrer. Under its person and in order,
-- so that all of a person's touches are read in one place.
select
    tenant_id,
    user_id,
    session_start,
    session_id,
    {{ utm_columns() | join(',\n    ') }},
    click_ids['gclid'] as gclid,
    click_ids['fbclid'] as fbclid,
    click_ids['msclkid'] as msclkid,
    entry_referrer as referrer,
    entry_referring_domain as referring_domain,
    channel,
    {{ build_seq() }} as _build_seq
from {{ ref('sessions') }}
where
    is_touch
    {{ only_changed(
        'changed_session_rows',
        ['tenant_id', 'session_date', 'session_key', 'session_start'],
        where="change = 'after'"
    ) }}

{{ config(materialized='view', settings={}) }}
-- One row per event (tenant_id, event_date, event_id), with its person. A view, so that a login that moves a history
-- to somebody else rewrites no event.
select
    events.tenant_id as tenant_id,
    events.event_date as event_date,
    events.event_id as event_id,
    events.event as event,
    events.event_type as event_type,
    events.timestamp as timestamp,
    events.received_at as received_at,
    events.distinct_id as distinct_id,
    identities.user_id as user_id,
    events.device_id as device_id,
    events.session_id as session_id,
    events.is_identified as is_identified,
    {% for column in [
        'current_url', 'host', 'pathname', 'referrer', 'referring_domain', 'utm_source', 'utm_medium', 'utm_campaign',
        'utm_term', 'utm_content', 'click_ids', 'browser', 'os', 'device_type', 'user_agent', 'timezone', 'country',
        'city', 'ip_address', 'revenue', 'currency', 'elements_chain'
    ] -%}
    events.{{ column }} as {{ column }},
    {% endfor -%}
    events.properties as properties
from {{ ref('int_events') }} as events
left join {{ ref('identities') }} as identities
    on events.tenant_id = identities.tenant_id and events.distinct_id = identities.distinct_id

{#
    The columns of an event, beside tenant and day: what int_events keeps of the version that won, and what makes two
    versions differ.
#}
{% macro event_columns() %}
    {{- return([
        'event_id', 'event', 'event_type', 'timestamp', 'received_at', 'distinct_id', 'is_identified', 'is_pageview',
        'session_key', 'links', 'session_id', 'device_id', 'anonymous_id', 'current_url', 'host', 'pathname', 'referrer',
        'referring_domain', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'click_ids', 'browser',
        'os', 'device_type', 'user_agent', 'timezone', 'country', 'city', 'ip_address', 'revenue', 'currency',
        'elements_chain', 'properties', 'attributes_set', 'attributes_set_once'
    ]) -}}
{% endmacro %}

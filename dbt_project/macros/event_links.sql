{#
    The identity links that an event states, as an array of (kind, anonymous_id, user_id): `$identify` with the
    anonymous id before it, an event sent with both a user id and an anonymous id, and the two merge events.
#}
{% macro event_links() %}
    arrayFilter(
        link -> link.anonymous_id != '' and link.user_id != '' and link.anonymous_id != link.user_id,
        multiIf(
            event = '$identify', [
                {{ event_link('link', "JSONExtract(properties, '$anon_distinct_id', 'String')", 'distinct_id') }},
                {{ event_link('link', 'sent_anonymous_id', 'sent_user_id') }}
            ],
            event in ('$create_alias', '$merge_dangerously'), [
                {{ event_link(
                    'merge',
                    "JSONExtract(properties, 'alias', 'String')",
                    "if(JSONExtract(properties, 'distinct_id', 'String') != '', JSONExtract(properties, 'distinct_id', 'String'), distinct_id)"
                ) }},
                {{ event_link('link', 'sent_anonymous_id', 'sent_user_id') }}
            ],
            sent_user_id != '' and sent_anonymous_id != '', [
                {{ event_link('link', 'sent_anonymous_id', 'sent_user_id') }}
            ],
            []
        )
    )
{% endmacro %}


{% macro event_link(kind, anonymous_id, user_id) -%}
    cast(('{{ kind }}', {{ anonymous_id }}, {{ user_id }}), 'Tuple(kind String, anonymous_id String, user_id String)')
{%- endmacro %}

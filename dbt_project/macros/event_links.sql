{#
    The identity links that an event states, as an array of (kind, anonymous_id, user_id): an identify event with the id
    before it, an event sent with both a user id and an anonymous id, and the events that merge two ids. Other events may
    carry a `previous_id` that means something else: a property of theirs has the name.
#}
{% macro event_links() %}
    arrayFilter(
        link -> link.anonymous_id != '' and link.user_id != '' and link.anonymous_id != link.user_id,
        arrayConcat(
            multiIf(
                previous_id = '', [],
                event in ({{ string_list(var('link_events')) }}), [{{ event_link('link', 'previous_id', 'distinct_id') }}],
                event in ({{ string_list(var('merge_events')) }}), [{{ event_link('merge', 'previous_id', 'distinct_id') }}],
                []
            ),
            if(
                sent_user_id != '' and anonymous_id != '',
                [{{ event_link('link', 'anonymous_id', 'sent_user_id') }}],
                []
            )
        )
    )
{% endmacro %}


{% macro event_link(kind, anonymous_id, user_id) -%}
    cast(('{{ kind }}', {{ anonymous_id }}, {{ user_id }}), 'Tuple(kind String, anonymous_id String, user_id String)')
{%- endmacro %}

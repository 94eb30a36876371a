{#
    Filters of funnel steps and retention definitions are data: JSON objects in a column, such as
    {"plan": "pro", "amount": {">": 10, "<=": 99.5}, "source": {"in": ["a", "b"]}}. All conditions must hold.

    Two steps, so that the text is read once per definition and not once per event:
        filter_conditions(column)           the conditions of a definition's filter, as an array
        event_matches(conditions, events)   whether an event meets them

    Operators: = != > >= < <= in contains exists; a bare value means =.
    - A property is looked for in the event's properties, then there under its `$` name, then among the event's own
      columns and click ids. JSON null and '' are absent, wherever they stand.
    - Where the filter's value is a number, values compare as exact numbers, digits sent as a string included (CSV
      knows no numbers); otherwise as strings, case and all.
    - An absent property meets only `!=`, `= null`, `= ""` and `{"exists": false}`.
    - `contains`: an array holds the value, or a text holds it.
    - A filter that is no JSON object, or uses an operator nobody knows, matches no event: never everything.
#}
{% macro filter_conditions(filter) -%}
    cast(
        multiIf(
            trimBoth({{ filter }}) = '', [],
            not isValidJSON({{ filter }}) or JSONType({{ filter }}) != 'Object', [('', 'unreadable', '')],
            arrayFlatten(arrayMap(
                entry -> multiIf(
                    JSONType(entry.2) != 'Object', [(entry.1, '=', entry.2)],
                    empty(JSONExtractKeysAndValuesRaw(entry.2)), [(entry.1, 'unreadable', '')],
                    arrayMap(part -> (entry.1, part.1, part.2), JSONExtractKeysAndValuesRaw(entry.2))
                ),
                JSONExtractKeysAndValuesRaw({{ filter }})
            ))
        ),
        'Array(Tuple(property String, operator String, operand String))'
    )
{%- endmacro %}


{# `conditions` as filter_conditions gives them; `events` is the alias of a relation with the columns of int_events. #}
{% macro event_matches(conditions, events) -%}
    arrayAll(
        (condition, value) -> multiIf(
            condition.operator = '=', {{ json_equal('value', 'condition.operand') }},
            condition.operator = '!=', not {{ json_equal('value', 'condition.operand') }},
            condition.operator = 'exists', (value != '') = (condition.operand != 'false'),
            value = '', false,
            condition.operator = '>', {{ json_compare('value', '>', 'condition.operand') }},
            condition.operator = '>=', {{ json_compare('value', '>=', 'condition.operand') }},
            condition.operator = '<', {{ json_compare('value', '<', 'condition.operand') }},
            condition.operator = '<=', {{ json_compare('value', '<=', 'condition.operand') }},
            condition.operator = 'in',
            arrayExists(
                choice -> {{ json_equal('value', 'choice') }}, JSONExtractArrayRaw(condition.operand)
            ),
            condition.operator = 'contains' and startsWith(value, '['),
            arrayExists(
                element -> {{ json_equal('element', 'condition.operand') }}, JSONExtractArrayRaw(value)
            ),
            condition.operator = 'contains',
            position({{ json_text('value') }}, {{ json_text('condition.operand') }}) > 0,
            false
        ),
        {{ conditions }},
        arrayMap(condition -> {{ event_value('condition.property', events) }}, {{ conditions }})
    )
{%- endmacro %}


{# The value of a property of an event as JSON text, '' if absent. #}
{% macro event_value(property, events) -%}
    arrayFirst(
        found -> found not in ('', 'null', '""'),
        [
            JSONExtractRaw({{ events }}.properties, {{ property }}),
            JSONExtractRaw({{ events }}.properties, concat('$', {{ property }})),
            multiIf(
                {%- set name = "trim(leading '$' from " ~ property ~ ")" %}
                {%- for column in [
                    'event', 'event_type', 'distinct_id', 'session_id', 'device_id', 'current_url', 'host', 'pathname',
                    'referrer', 'referring_domain', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_term',
                    'utm_content', 'browser', 'os', 'device_type', 'user_agent', 'timezone', 'country', 'city',
                    'ip_address', 'currency', 'elements_chain'
                ] %}
                {{ name }} = '{{ column }}', toJSONString(toString({{ events }}.{{ column }})),
                {%- endfor %}
                {{ name }} = 'revenue', ifNull(toString({{ events }}.revenue), ''),
                {{ name }} = 'is_identified', if({{ events }}.is_identified = 1, 'true', 'false'),
                toJSONString({{ events }}.click_ids[{{ name }}])
            )
        ]
    )
{%- endmacro %}


{% macro json_equal(value, operand) -%}
    if(
        {{ json_is_number(operand) }},
        ifNull({{ json_number(value) }} = {{ json_number(operand) }}, false),
        {{ json_text(value) }} = if({{ operand }} = 'null', '', {{ json_text(operand) }})
    )
{%- endmacro %}


{% macro json_compare(value, operator, operand) -%}
    if(
        {{ json_is_number(operand) }},
        ifNull({{ json_number(value) }} {{ operator }} {{ json_number(operand) }}, false),
        {{ json_text(value) }} {{ operator }} {{ json_text(operand) }}
    )
{%- endmacro %}


{# Strings without their quotes, everything else as it is written. #}
{% macro json_text(json) -%}
    if(startsWith({{ json }}, '"'), JSONExtractString({{ json }}), {{ json }})
{%- endmacro %}


{% macro json_is_number(json) -%}
    match({{ json }}, '^[-0-9]')
{%- endmacro %}


{# Decimal, because two ids of 17 digits are not equal only because a float cannot tell them apart. #}
{% macro json_number(json) -%}
    toDecimal256OrNull({{ json_text(json) }}, 30)
{%- endmacro %}

{#
    Filters of funnel steps and retention definitions are data: JSON objects in a column, such as
    {"plan": "pro", "amount": {">": 10, "<=": 99.5}, "source": {"in": ["a", "b"]}}. All conditions must hold.

    Three steps, so that a filter is read once per definition, and an event's properties once per event:
        filter_conditions(filter)           the conditions of a definition's filter, as an array
        event_values(names, events)         what an event says of the properties that conditions name, as a map
        event_matches(conditions, values)   whether it meets them

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


{#
    The properties that any condition in a relation's column `conditions` names: a constant to the query around it. Not
    `conditions.property`: ClickHouse does not find a part of a column in a materialized CTE.
#}
{% macro named_properties(definitions) -%}
    (select groupUniqArrayArray(arrayMap(condition -> condition.property, conditions)) from {{ definitions }})
{%- endmacro %}


{# `conditions` as filter_conditions gives them, `values` as event_values does. #}
{% macro event_matches(conditions, values) -%}
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
        arrayMap(condition -> {{ values }}[condition.property], {{ conditions }})
    )
{%- endmacro %}


{#
    The values of an event's properties as JSON text, '' if absent. `names` are those of named_properties; `events` is the
    alias of a relation with the columns of int_events. As the names are constant, a column that none of them means is
    not even read. Properties that hold none of the names (and no backslash, with which JSON could spell one) are not
    parsed. The names are given the alias `wanted_names` where they first appear, for ClickHouse plans a subquery as
    often as it is written; so this can be called once per select.
#}
{% macro event_values(names, events) -%}
    {%- set telling_properties -%}
        if(
            {#- 255 is the most that the search takes #}
            length(wanted_names) > 254
            or multiSearchAny({{ events }}.properties, arrayPushBack(arraySlice(wanted_names, 1, 254), '\\')),
            {{ events }}.properties,
            ''
        )
    {%- endset -%}
    mapFromArrays(
        ({{ names }} as wanted_names),
        arrayMap(
            name -> arrayFirst(
                found -> found not in ('', 'null', '""'),
                [
                    JSONExtractRaw({{ telling_properties }}, name),
                    JSONExtractRaw({{ telling_properties }}, concat('$', name)),
                    {{ own_values('wanted_names', events) }}[trim(leading '$' from name)],
                    toJSONString({{ events }}.click_ids[trim(leading '$' from name)])
                ]
            ),
            wanted_names
        )
    )
{%- endmacro %}


{# The event's own columns among the names, as a map of JSON texts. #}
{% macro own_values(names, events) -%}
    {%- set texts = {
        'revenue': "ifNull(toString(" ~ events ~ ".revenue), '')",
        'is_identified': "if(" ~ events ~ ".is_identified = 1, 'true', 'false')"
    } -%}
    cast(
        arrayConcat(
            {%- for column in [
                'event', 'event_type', 'distinct_id', 'session_id', 'device_id', 'current_url', 'host', 'pathname',
                'referrer', 'referring_domain', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content',
                'browser', 'os', 'device_type', 'user_agent', 'timezone', 'country', 'city', 'ip_address', 'currency',
                'elements_chain', 'revenue', 'is_identified'
            ] %}
            if(
                hasAny({{ names }}, ['{{ column }}', '${{ column }}']),
                [('{{ column }}', {{ texts[column] or 'toJSONString(toString(' ~ events ~ '.' ~ column ~ '))' }})],
                []
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ),
        'Map(String, String)'
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

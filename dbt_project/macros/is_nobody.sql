{#
    True for ids that mean "nobody": empty, or in the seed `nobody_ids`, in any case, whatever blanks and quotes stand
    around them. They never link. ingest/nobody.py asks the same list when an event's ids are chosen.
#}
{% macro is_nobody(distinct_id) -%}
    {{ bare_word(distinct_id) }} in (
        select {{ bare_word('distinct_id') }} from {{ ref('nobody_ids') }}
        union all
        select ''
    )
{%- endmacro %}


{# A word in lower case, without what stands around it. #}
{% macro bare_word(word) -%}
    lowerUTF8(trimBoth({{ word }}, ' \t\r\n"''`'))
{%- endmacro %}

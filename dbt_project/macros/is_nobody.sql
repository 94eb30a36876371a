{# True for ids that mean "nobody": empty, or in the seed `nobody_ids`, in any case, quoted or not. They never link. #}
{% macro is_nobody(distinct_id) -%}
    (
        trimBoth({{ distinct_id }}) = ''
        or lowerUTF8(trim(both '"''`' from trimBoth({{ distinct_id }}))) in (
            select lowerUTF8(trim(both '"''`' from distinct_id)) from {{ ref('nobody_ids') }}
        )
        or trim(both '"''`' from trimBoth({{ distinct_id }})) = ''
    )
{%- endmacro %}

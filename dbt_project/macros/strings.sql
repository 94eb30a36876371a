{# A list of words as SQL string literals; the words come from dbt_project.yml, never from data. #}
{% macro string_list(words) %}{% for word in words %}'{{ word }}'{{ ', ' if not loop.last }}{% endfor %}{% endmacro %}

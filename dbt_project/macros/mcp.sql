{# The share of calls that succeeded among those that say whether they did, 0 to 1; NULL if none says so. #}
{% macro success_rate(succeeded, failed) -%}
    if({{ succeeded }} + {{ failed }} = 0, null, {{ succeeded }} / ({{ succeeded }} + {{ failed }}))
{%- endmacro %}


{# A quantile of the numbers in arrays, exactly; NULL if there is none. #}
{% macro exact_quantile(share, numbers) -%}
    if(sum(length({{ numbers }})) = 0, null, quantileExactInclusiveArray({{ share }})({{ numbers }}))
{%- endmacro %}

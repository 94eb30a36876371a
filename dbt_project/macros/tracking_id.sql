{#
    HMAC-SHA256 of tenant and user under the warehouse's secret, as hex: stable, different per tenant, not reversible.
    The key comes from a table of two padded key blocks, so the secret is in no query text.
#}
{% macro tracking_id(tenant_id, user_id) -%}
    lower(hex(SHA256(concat(
        assumeNotNull((select any(`outer`) from {{ source('raw', 'tracking_key') }})),
        SHA256(concat(
            assumeNotNull((select any(`inner`) from {{ source('raw', 'tracking_key') }})),
            {{ tenant_id }}, '\0', {{ user_id }}
        ))
    ))))
{%- endmacro %}

{#
    HMAC-SHA256 of tenant and user under the warehouse's secret, as hex: stable, different per tenant, not reversible.
    The key comes from a table of two padded key blocks, so the secret is in no query text.

    Hashed is the tenant, a NUL and the user. Where one of them holds a NUL itself, that could be said of two people: the
    tenant's length then says where the user begins, between NULs, of which the short form never has three.
#}
{% macro tracking_id(tenant_id, user_id) -%}
    lower(hex(SHA256(concat(
        assumeNotNull((select any(`outer`) from {{ source('raw', 'tracking_key') }})),
        SHA256(concat(
            assumeNotNull((select any(`inner`) from {{ source('raw', 'tracking_key') }})),
            if(
                position({{ tenant_id }}, '\0') = 0 and position({{ user_id }}, '\0') = 0,
                concat({{ tenant_id }}, '\0', {{ user_id }}),
                concat('\0', toString(length({{ tenant_id }})), '\0', {{ tenant_id }}, {{ user_id }})
            )
        ))
    ))))
{%- endmacro %}

{#
    Where a visit came from, as one of ten channels, after GA4's default channel grouping.

    GA4's further channels fold into the nearest of the ten: Cross-network and Paid Shopping into Paid Search,
    Paid Video into Paid Social, Organic Video into Organic Social, Organic Shopping into Referral, and Paid Other,
    SMS, Mobile Push, Audio and Unassigned into Other.

    GA4 judges a pair (source, medium). Here the pair is, in this order:
    1. with a utm_medium: that medium, and as source the utm_source, else the click id's network, else the referrer;
    2. with a click id: the network and the medium that the id stands for (seed channel_click_ids), for a click id
       takes the place of UTMs that the link lacks;
    3. with a utm_source: that source, which some tools fill with what is really a medium ("email", "paid_search");
    4. else the outside referrer.
    What source and medium mean is in the seeds channel_sources and channel_mediums; add to them what your sites need.
    All arguments are SQL expressions of strings, click_ids of a map from name to value; '' where absent.

    Every step binds its results to names that hold in that step alone (see `bind`), so that the text stays short and a
    caller's columns and aliases may have any name. A query over many rows is three times as fast under
    short_circuit_function_evaluation = 'disable'.
#}
{% macro channel(utm_source, utm_medium, utm_campaign, click_ids, referring_domain, own_host) -%}
    {{ bind({
        'sent_source': channel_word(utm_source),
        'sent_medium': channel_word(utm_medium),
        'campaign': channel_word(utm_campaign),
        'click_id': known_click_id(click_ids),
        'referrer': outside_referrer(referring_domain, own_host),
    }, bind({
        'source': visit_source(),
        'medium': visit_medium(),
    }, bind({
        'source_kind': source_category('source'),
        'medium_kind': medium_category('medium'),
        'is_paid': "match(medium, '^(.*cp.*|ppc|retargeting|paid.*)$')",
    }, channel_of_pair()))) }}
{%- endmacro %}


{#
    An expression in which each name of `values` stands for its SQL expression, worked out once. The names hold in `body`
    and nowhere else: they are the arguments of a lambda, which is applied to one element.
#}
{% macro bind(values, body) -%}
    arrayMap(({{ values | join(', ') }}) -> {{ body }}, [{{ values.values() | join('], [') }}])[1]
{%- endmacro %}


{% macro visit_source() -%}
    multiIf(
        sent_medium = '' and click_id != '', {{ click_id_meaning('click_id', 'source') }},
        sent_source != '', sent_source,
        click_id != '', {{ click_id_meaning('click_id', 'source') }},
        referrer
    )
{%- endmacro %}


{% macro visit_medium() -%}
    multiIf(
        sent_medium != '', sent_medium,
        click_id != '', {{ click_id_meaning('click_id', 'medium') }},
        sent_source
    )
{%- endmacro %}


{% macro channel_of_pair() -%}
    multiIf(
        source = '' and medium = '' and campaign = '', 'Direct',
        source_kind = 'direct' and sent_medium = '', 'Direct',
        position(campaign, 'cross-network') > 0, 'Paid Search',
        is_paid and source_kind in ('search', 'shopping'), 'Paid Search',
        is_paid and match(campaign, '^(.*(([^a-df-z]|^)shop|shopping).*)$'), 'Paid Search',
        is_paid and source_kind in ('social', 'video'), 'Paid Social',
        medium_kind = 'display', 'Display',
        medium_kind = 'paid_search', 'Paid Search',
        medium_kind = 'paid_social', 'Paid Social',
        is_paid, 'Other',
        source_kind in ('social', 'video') or medium_kind = 'social', 'Organic Social',
        position(medium, 'video') > 0, 'Organic Social',
        source_kind = 'search' or medium_kind = 'search', 'Organic Search',
        medium_kind = 'referral', 'Referral',
        medium_kind = 'email', 'Email',
        medium_kind = 'affiliate', 'Affiliates',
        source_kind = 'email', 'Email',
        source_kind = 'affiliate', 'Affiliates',
        source_kind = 'shopping', 'Referral',
        source != '' and source = referrer and medium = '', 'Referral',
        'Other'
    )
{%- endmacro %}


{#
    True for a session that carries any UTM, a click id or an outside referrer: a touch, what attribution counts.
    `utms` is the list of the five UTM expressions.
#}
{% macro is_touch(utms, click_ids, referring_domain, own_host) -%}
    (
        {%- for utm in utms %}
        {{ utm }} != '' or
        {%- endfor %}
        length({{ click_ids }}) > 0
        or {{ is_outside_referrer(referring_domain, own_host) }}
    )
{%- endmacro %}


{#
    True if a visit came from another site: there is a referrer, and it is neither the site's own host nor a parent or
    subdomain of it (shop.example.com and example.com are one site). Case, port and a leading www. do not count.
#}
{% macro is_outside_referrer(referring_domain, own_host) -%}
    ({{ outside_referrer(referring_domain, own_host) }} != '')
{%- endmacro %}


{# Where a visit came from: some sources send the referrer's host, some only its URL. #}
{% macro referring_address(referring_domain, referrer) -%}
    if({{ referring_domain }} in ('', '$direct'), {{ referrer }}, {{ referring_domain }})
{%- endmacro %}


{# The host of an outside referrer, '' if there is none. #}
{% macro outside_referrer(referring_domain, own_host) -%}
    {%- set referrer = host_name(referring_domain) -%}
    {%- set own = host_name(own_host) -%}
    multiIf(
        {{ referring_domain }} in ('', '$direct'), '',
        {{ referrer }} = {{ own }}, '',
        endsWith({{ referrer }}, concat('.', {{ own }})) or endsWith({{ own }}, concat('.', {{ referrer }})), '',
        {{ referrer }}
    )
{%- endmacro %}


{#
    The host in a URL or a bare host: lower case, without www., port and the dot at its end. What ClickHouse takes for
    no host (localhost) goes the slow way.
#}
{% macro host_name(address) -%}
    trim(
        trailing '.' from if(
            domainWithoutWWW(lower({{ address }})) != '',
            domainWithoutWWW(lower({{ address }})),
            extract(lower({{ address }}), '^(?:[a-z][a-z0-9+.-]*://)?([^/:?#]*)')
        )
    )
{%- endmacro %}


{# A UTM value for comparing: lower case, trimmed, '' for the words by which tools say that there is none. #}
{% macro channel_word(value) -%}
    transform(lower(trimBoth({{ value }})), ['(not set)', '(none)', 'null', 'undefined'], ['', '', '', ''], lower(trimBoth({{ value }})))
{%- endmacro %}


{# The click id that speaks for the visit: of several the one that the seed ranks first; '' if none is known. #}
{% macro known_click_id(click_ids) -%}
    arraySort(
        arrayFilter(
            ranked -> ranked.1 > 0,
            arrayMap(
                (click_id, value) -> (
                    if(value = '', 0, {{ seed_value('channel_click_ids', 'click_id', 'rank', 'click_id', 0) }}),
                    toString(click_id)
                ),
                mapKeys({{ click_ids }}),
                mapValues({{ click_ids }})
            )
        )
    )[1].2
{%- endmacro %}


{# What the link would have said as its source or medium, had it UTMs. #}
{% macro click_id_meaning(click_id, part) -%}
    {{ seed_value('channel_click_ids', 'click_id', part, click_id) }}
{%- endmacro %}


{#
    What kind of source a word or a host is. The seed names words and hosts; a host stands for its subdomains as well,
    the longest match wins, and `google.*` stands for that name alone or under any top-level domain.
#}
{% macro source_category(source) -%}
    if(
        {{ source }} = '',
        '',
        arrayFirst(
            category -> category != '',
            arrayMap(
                name -> {{ seed_value('channel_sources', 'source', 'category', 'name') }},
                arrayPushBack(
                    {{ parent_domains(source) }},
                    concat(
                        if(position({{ source }}, '.') > 0, firstSignificantSubdomain({{ source }}), {{ source }}),
                        '.*'
                    )
                )
            )
        )
    )
{%- endmacro %}


{# 'a.b.c' -> ['a.b.c', 'b.c']: a host and all it is a subdomain of, but not the top-level domain. #}
{% macro parent_domains(host) -%}
    arrayMap(
        first_label -> arrayStringConcat(arraySlice(splitByChar('.', {{ host }}), first_label), '.'),
        range(1, greatest(2, length(splitByChar('.', {{ host }}))))
    )
{%- endmacro %}


{% macro medium_category(medium) -%}
    {{ seed_value('channel_mediums', 'medium', 'category', medium) }}
{%- endmacro %}


{#
    The value that a small seed has for a key, `otherwise` if it does not know the key. The seed is read once per query,
    not once per row, and sorted so that keys and values stay side by side.
#}
{% macro seed_value(seed, key_column, value_column, key, otherwise="''") -%}
    transform(
        {{ key }},
        (select arraySort(groupArray(({{ key_column }}, {{ value_column }}))) from {{ ref(seed) }}).1,
        (select arraySort(groupArray(({{ key_column }}, {{ value_column }}))) from {{ ref(seed) }}).2,
        {{ otherwise }}
    )
{%- endmacro %}

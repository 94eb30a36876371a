{#
    Where a visit came from, as one of ten channels, after GA4's default channel grouping.

    GA4's further channels fold into the nearest of the ten: Cross-network and Paid Shopping into Paid Search,
    Paid Video into Paid Social, Organic Video into Organic Social, Organic Shopping into Referral, and Paid Other,
    SMS, Mobile Push, Audio and Unassigned into Other.

    GA4 judges a pair (source, medium). Here the pair is, in this order:
    1. with a click id that is bought, if the utm_medium says nothing of paying: the network and the medium that the id
       stands for (seed channel_click_ids), for links are tagged by hand and the network adds its id only to what it sold;
    2. with a utm_medium: that medium, and as source the utm_source, else the click id's network, else the referrer;
    3. with any other click id: what that id stands for, for it takes the place of UTMs that the link lacks;
    4. with a utm_source: that source, which some tools fill with what is really a medium ("email", "paid_search");
    5. else the outside referrer.
    What source and medium mean is in the seeds channel_sources and channel_mediums; add to them what your sites need.
    All arguments are SQL expressions of strings, click_ids of a map from name to value, own_hosts of an array; ''
    where absent.

    Every step binds its results to names that hold in that step alone (see `bind`), so that the text stays short and a
    caller's columns and aliases may have any name. A query over many rows is three times as fast under
    short_circuit_function_evaluation = 'disable'.
#}
{% macro channel(utm_source, utm_medium, utm_campaign, click_ids, referring_domain, own_hosts) -%}
    {{ bind({
        'sent_source': channel_word(utm_source),
        'sent_medium': channel_word(utm_medium),
        'campaign': channel_word(utm_campaign),
        'click_id': known_click_id(click_ids),
        'referrer': outside_referrer(referring_domain, own_hosts),
    }, bind({
        'is_click': is_click(),
    }, bind({
        'source': visit_source(),
        'medium': visit_medium(),
    }, bind({
        'source_kind': source_category('source'),
        'medium_kind': medium_category('medium'),
        'is_paid': is_paid('medium'),
    }, channel_of_pair())))) }}
{%- endmacro %}


{#
    An expression in which each name of `values` stands for its SQL expression, worked out once. The names hold in `body`
    and nowhere else: they are the arguments of a lambda, which is applied to one element.
#}
{% macro bind(values, body) -%}
    arrayMap(({{ values | join(', ') }}) -> {{ body }}, [{{ values.values() | join('], [') }}])[1]
{%- endmacro %}


{# True if the click id says what the visit is: there is no medium, or one that hides what was bought. #}
{% macro is_click() -%}
    click_id != '' and (
        sent_medium = ''
        or {{ seed_value('channel_click_ids', 'click_id', 'is_bought', 'click_id', 0) }} = 1
        and not {{ is_paid('sent_medium') }}
        and {{ medium_category('sent_medium') }} not in ('display', 'paid_search', 'paid_social')
    )
{%- endmacro %}


{% macro visit_source() -%}
    multiIf(
        is_click, {{ click_id_meaning('click_id', 'source') }},
        sent_source != '', sent_source,
        click_id != '', {{ click_id_meaning('click_id', 'source') }},
        referrer
    )
{%- endmacro %}


{% macro visit_medium() -%}
    multiIf(
        is_click, {{ click_id_meaning('click_id', 'medium') }},
        sent_medium != '', sent_medium,
        sent_source
    )
{%- endmacro %}


{# GA4's pattern for the mediums of what was paid for. #}
{% macro is_paid(medium) -%}
    match({{ medium }}, '^(.*cp.*|ppc|retargeting|paid.*)$')
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
{% macro is_touch(utms, click_ids, referring_domain, own_hosts) -%}
    (
        {%- for utm in utms %}
        {{ utm }} != '' or
        {%- endfor %}
        length({{ click_ids }}) > 0
        or {{ outside_referrer(referring_domain, own_hosts) }} != ''
    )
{%- endmacro %}


{# Where a visit came from: some sources send the referrer's host, some only its URL. #}
{% macro referring_address(referring_domain, referrer) -%}
    if({{ referring_domain }} in ('', '$direct'), {{ referrer }}, {{ referring_domain }})
{%- endmacro %}


{#
    The host of a referrer from another site, '' if there is none: it is neither one of the hosts that the visit's own
    pages name nor a parent or subdomain of one (shop.example.com and example.com are one site). Case, port and a leading
    www. do not count.
#}
{% macro outside_referrer(referring_domain, own_hosts) -%}
    {%- set is_own = "own = referrer or endsWith(referrer, concat('.', own)) or endsWith(own, concat('.', referrer))" -%}
    {{ bind({
        'referrer': "if(" ~ referring_domain ~ " = '$direct', '', " ~ host_name(referring_domain) ~ ")",
        'own_names': "arrayMap(host -> " ~ host_name('host') ~ ", " ~ own_hosts ~ ")",
    }, "if(arrayExists(own -> " ~ is_own ~ ", own_names), '', referrer)") }}
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

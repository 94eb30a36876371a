"""Which channel a visit came by: cases written from GA4's default channel grouping and from real links."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from tests.models.macros import load_seed, macro
from warehouse.connection import Warehouse

# (utm_source, utm_medium, utm_campaign, click ids, referring domain, own host or hosts with blanks between) -> channel
CASES = [
    # nothing at all, and what says so
    ("", "", "", {}, "", "shop.example", "Direct"),
    ("", "", "", {}, "$direct", "shop.example", "Direct"),
    ("(direct)", "(none)", "", {}, "", "shop.example", "Direct"),
    ("direct", "", "", {}, "", "shop.example", "Direct"),
    ("(not set)", "(not set)", "", {}, "", "shop.example", "Direct"),
    # referrers: subdomains, countries, apps
    ("", "", "", {}, "www.google.co.uk", "shop.example", "Organic Search"),
    ("", "", "", {}, "www.google.com", "shop.example", "Organic Search"),
    ("", "", "", {}, "google.com.br", "shop.example", "Organic Search"),
    ("", "", "", {}, "https://www.google.com/", "shop.example", "Organic Search"),
    ("", "", "", {}, "com.google.android.googlequicksearchbox", "shop.example", "Organic Search"),
    ("", "", "", {}, "uk.search.yahoo.com", "shop.example", "Organic Search"),
    ("", "", "", {}, "DuckDuckGo.com", "shop.example", "Organic Search"),
    ("", "", "", {}, "cn.bing.com", "shop.example", "Organic Search"),
    ("", "", "", {}, "l.facebook.com", "shop.example", "Organic Social"),
    ("", "", "", {}, "m.facebook.com", "shop.example", "Organic Social"),
    ("", "", "", {}, "t.co", "shop.example", "Organic Social"),
    ("", "", "", {}, "old.reddit.com", "shop.example", "Organic Social"),
    ("", "", "", {}, "lnkd.in", "shop.example", "Organic Social"),
    ("", "", "", {}, "www.youtube.com", "shop.example", "Organic Social"),
    ("", "", "", {}, "mail.google.com", "shop.example", "Email"),
    ("", "", "", {}, "com.google.android.gm", "shop.example", "Email"),
    ("", "", "", {}, "outlook.live.com", "shop.example", "Email"),
    ("", "", "", {}, "docs.google.com", "shop.example", "Referral"),
    ("", "", "", {}, "some-blog.example", "shop.example", "Referral"),
    ("", "", "", {}, "www.amazon.de", "shop.example", "Referral"),
    ("", "", "", {}, "chatgpt.com", "shop.example", "Referral"),
    # a name is not a suffix of letters, and a top-level domain is not a word of the seed
    ("", "", "", {}, "notgoogle.com", "shop.example", "Referral"),
    ("", "", "", {}, "google.evil.com", "shop.example", "Referral"),
    ("", "", "", {}, "myfacebook.com", "shop.example", "Referral"),
    ("", "", "", {}, "news.email", "shop.example", "Referral"),
    # the site itself is no referrer
    ("", "", "", {}, "shop.example", "shop.example", "Direct"),
    ("", "", "", {}, "www.shop.example", "shop.example", "Direct"),
    ("", "", "", {}, "Shop.Example:443", "www.shop.example", "Direct"),
    ("", "", "", {}, "example.com", "app.example.com", "Direct"),
    ("", "", "", {}, "blog.example.com", "example.com", "Direct"),
    ("", "", "", {}, "myexample.com", "example.com", "Referral"),
    ("", "", "", {}, "www.google.com", "www.google.com", "Direct"),
    ("", "", "", {}, "shop.example", "", "Referral"),
    # any of the hosts that the visit's pages name
    ("", "", "", {}, "pay.example", "shop.example pay.example", "Direct"),
    ("", "", "", {}, "www.pay.example", "shop.example pay.example", "Direct"),
    ("", "", "", {}, "other.example", "shop.example pay.example", "Referral"),
    # UTMs
    ("google", "cpc", "", {}, "", "shop.example", "Paid Search"),
    ("Google", "CPC", "", {}, "", "shop.example", "Paid Search"),
    ("bing", "ppc", "", {}, "", "shop.example", "Paid Search"),
    ("google", "cpm", "", {}, "", "shop.example", "Paid Search"),
    ("google", "organic", "", {}, "", "shop.example", "Organic Search"),
    ("google", "", "", {}, "", "shop.example", "Organic Search"),
    ("anything", "organic", "", {}, "", "shop.example", "Organic Search"),
    ("facebook", "paid", "", {}, "", "shop.example", "Paid Social"),
    ("facebook", "paid_social", "", {}, "", "shop.example", "Paid Social"),
    ("fb", "cpc", "", {}, "", "shop.example", "Paid Social"),
    ("instagram", "retargeting", "", {}, "", "shop.example", "Paid Social"),
    ("youtube", "cpv", "", {}, "", "shop.example", "Paid Social"),
    ("youtube", "cpc", "", {}, "", "shop.example", "Paid Social"),
    ("facebook", "", "", {}, "", "shop.example", "Organic Social"),
    ("linkedin", "social", "", {}, "", "shop.example", "Organic Social"),
    ("partner-x", "social-media", "", {}, "", "shop.example", "Organic Social"),
    ("partner-x", "video", "", {}, "", "shop.example", "Organic Social"),
    ("dv360", "display", "", {}, "", "shop.example", "Display"),
    ("news-site", "banner", "", {}, "", "shop.example", "Display"),
    ("news-site", "cpm", "", {}, "", "shop.example", "Display"),
    ("newsletter", "email", "", {}, "", "shop.example", "Email"),
    ("crm", "e-mail", "", {}, "mail.google.com", "shop.example", "Email"),
    ("awin", "affiliate", "", {}, "", "shop.example", "Affiliates"),
    ("coupons", "affiliates", "", {}, "", "shop.example", "Affiliates"),
    ("blog", "referral", "", {}, "", "shop.example", "Referral"),
    ("sms", "sms", "", {}, "", "shop.example", "Other"),
    ("firebase", "push", "", {}, "", "shop.example", "Other"),
    ("spotify", "audio", "", {}, "", "shop.example", "Other"),
    ("partner-x", "cpc", "", {}, "", "shop.example", "Other"),
    ("partner-x", "something", "", {}, "", "shop.example", "Other"),
    ("flyer", "", "", {}, "", "shop.example", "Other"),
    ("", "", "spring", {}, "", "shop.example", "Other"),
    ("", "", "spring", {}, "www.google.com", "shop.example", "Organic Search"),
    ("", "", "spring", {}, "blog.example", "shop.example", "Referral"),
    ("", "cpc", "", {}, "www.google.com", "shop.example", "Paid Search"),
    ("google", "cpc", "eu | cross-network", {}, "", "shop.example", "Paid Search"),
    ("google", "cpc", "summer-shopping", {}, "", "shop.example", "Paid Search"),
    ("criteo", "cpc", "summer-shopping", {}, "", "shop.example", "Paid Search"),
    ("amazon", "cpc", "", {}, "", "shop.example", "Paid Search"),
    # the marketer's word goes before the referrer
    ("newsletter", "email", "", {}, "www.google.com", "shop.example", "Email"),
    ("dv360", "display", "", {}, "m.facebook.com", "shop.example", "Display"),
    # a source that is really a medium
    ("email", "", "", {}, "", "shop.example", "Email"),
    ("social", "", "", {}, "", "shop.example", "Organic Social"),
    ("organic", "", "", {}, "", "shop.example", "Organic Search"),
    ("paid_search", "", "", {}, "", "shop.example", "Paid Search"),
    # click ids stand for the UTMs that the link lacks
    ("", "", "", {"gclid": "x"}, "", "shop.example", "Paid Search"),
    ("", "", "", {"gclid": "x"}, "www.google.com", "shop.example", "Paid Search"),
    ("", "", "", {"gbraid": "x"}, "", "shop.example", "Paid Search"),
    ("", "", "", {"gad_source": "1"}, "", "shop.example", "Paid Search"),
    ("", "", "", {"msclkid": "x"}, "www.bing.com", "shop.example", "Paid Search"),
    ("", "", "", {"dclid": "x"}, "", "shop.example", "Display"),
    ("", "", "", {"ttclid": "x"}, "", "shop.example", "Paid Social"),
    ("", "", "", {"twclid": "x"}, "t.co", "shop.example", "Paid Social"),
    ("", "", "", {"li_fat_id": "x"}, "", "shop.example", "Paid Social"),
    ("", "", "", {"irclid": "x"}, "", "shop.example", "Affiliates"),
    ("", "", "", {"mc_cid": "x"}, "", "shop.example", "Email"),
    ("", "", "", {"_kx": "x"}, "", "shop.example", "Email"),
    ("", "", "", {"fbclid": "x"}, "", "shop.example", "Organic Social"),
    ("", "", "", {"fbclid": "x"}, "l.facebook.com", "shop.example", "Organic Social"),
    ("", "", "", {"igshid": "x"}, "", "shop.example", "Organic Social"),
    ("facebook", "cpc", "", {"fbclid": "x"}, "l.facebook.com", "shop.example", "Paid Social"),
    # what was bought is paid, whatever the link's medium says
    ("google", "organic", "", {"gclid": "x"}, "", "shop.example", "Paid Search"),
    ("bing", "organic", "", {"msclkid": "x"}, "www.bing.com", "shop.example", "Paid Search"),
    ("newsletter", "email", "", {"gclid": "x"}, "", "shop.example", "Paid Search"),
    ("partner-x", "referral", "", {"wbraid": "x"}, "", "shop.example", "Paid Search"),
    ("tiktok", "social", "", {"ttclid": "x"}, "", "shop.example", "Paid Social"),
    ("linkedin", "something", "", {"li_fat_id": "x"}, "", "shop.example", "Paid Social"),
    ("news-site", "referral", "", {"dclid": "x"}, "", "shop.example", "Display"),
    # a medium of something paid says more than the id
    ("facebook", "cpc", "", {"gclid": "x"}, "", "shop.example", "Paid Social"),
    ("news-site", "banner", "", {"gclid": "x"}, "", "shop.example", "Display"),
    # other ids are added to unpaid links, too
    ("instagram", "organic", "", {"fbclid": "x"}, "", "shop.example", "Organic Social"),
    ("crm", "email", "", {"mc_cid": "x"}, "", "shop.example", "Email"),
    ("crm", "email", "", {"irclid": "x"}, "", "shop.example", "Email"),
    ("summer", "", "", {"gclid": "x"}, "", "shop.example", "Paid Search"),
    ("", "paid", "", {"fbclid": "x"}, "", "shop.example", "Paid Social"),
    ("", "", "", {"fbclid": "x", "gclid": "y"}, "", "shop.example", "Paid Search"),
    ("", "", "", {"gclid": ""}, "", "shop.example", "Direct"),
    ("", "", "", {"unknown": "x"}, "", "shop.example", "Direct"),
]

UTMS = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"]


@pytest.fixture
def client(warehouse: Warehouse) -> Iterator[Client]:
    database = warehouse.settings.next_database
    with warehouse.client() as admin:
        admin.command("create database {db:Identifier}", parameters={"db": database})
    with warehouse.client(database) as client:
        load_seed(client, "channel_sources", {"source": "String", "category": "LowCardinality(String)"})
        load_seed(client, "channel_mediums", {"medium": "String", "category": "LowCardinality(String)"})
        load_seed(
            client,
            "channel_click_ids",
            {"rank": "UInt16", "click_id": "String", "source": "String", "medium": "String", "is_bought": "UInt8"},
        )
        client.command(
            "create table visits (number UInt32, utm_source String, utm_medium String, utm_campaign String,"
            " click_ids Map(LowCardinality(String), String), referring_domain String, own_hosts Array(String))"
            " engine = MergeTree order by number"
        )
        yield client


def test_every_visit_gets_the_channel_of_ga4s_grouping(client: Client) -> None:
    client.insert("visits", [[number, *case[:5], case[5].split()] for number, case in enumerate(CASES)])
    channel = macro(
        "channels.sql",
        "channel",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "click_ids",
        "referring_domain",
        "own_hosts",
    )
    given = client.query(f"select {channel} as channel from visits order by number").result_columns[0]
    wrong = [(case, got) for case, got in zip(CASES, given, strict=True) if case[6] != got]
    assert wrong == []


def test_a_channel_takes_no_name_of_its_caller_and_leaves_none(client: Client) -> None:
    client.insert("visits", [[1, "google", "cpc", "", {}, "", ["shop.example"]]])
    paid, direct = (
        macro("channels.sql", "channel", source, medium, "''", "click_ids", "''", "own_hosts")
        for source, medium in [("utm_source", "utm_medium"), ("''", "''")]
    )
    # Twice in one select, beside aliases with the very names that the macro gives its steps.
    ours = ", ".join(
        f"'ours' as {name}" for name in ("source", "medium", "campaign", "click_id", "referrer", "is_paid")
    )
    query = f"select {ours}, {paid} as paid, {direct} as direct, concat(source, medium, campaign) from visits"
    assert client.query(query).first_row[-3:] == ("Paid Search", "Direct", "oursoursours")


def test_a_touch_carries_a_utm_a_click_id_or_an_outside_referrer(client: Client) -> None:
    cases = [
        ("", "", "", {}, "", "shop.example", False),
        ("", "", "", {}, "$direct", "shop.example", False),
        ("", "", "", {}, "www.shop.example", "shop.example", False),
        ("", "", "", {}, "other.example", "shop.example", True),
        ("", "", "", {}, "other.example", "shop.example other.example", False),
        ("google", "", "", {}, "", "shop.example", True),
        ("", "", "spring", {}, "", "shop.example", True),
        ("", "", "", {"gclid": "x"}, "", "shop.example", True),
        ("", "", "", {"unheard_of": "x"}, "", "shop.example", True),
        ("direct", "", "", {}, "", "shop.example", True),
    ]
    client.insert("visits", [[number, *case[:5], case[5].split()] for number, case in enumerate(cases)])
    is_touch = macro("channels.sql", "is_touch", UTMS[:3], "click_ids", "referring_domain", "own_hosts")
    given = client.query(f"select {is_touch} as is_touch from visits order by number").result_columns[0]
    assert [bool(touch) for touch in given] == [case[6] for case in cases]

"""Where a visit came from, as one of ten channels, after GA4's default channel grouping.

GA4's further channels fold into the nearest of the ten: Cross-network and Paid Shopping into Paid Search, Paid Video
into Paid Social, Organic Video into Organic Social, Organic Shopping into Referral; what is left is Other.
"""

import re
from urllib.parse import urlsplit

from tests.oracle.project import seed

_NO_CLICK = {"source": "", "medium": "", "is_bought": "0"}
# Words by which tools say that there is no such value.
NOTHING = ("(not set)", "(none)", "null", "undefined")


def host_name(address: str) -> str:
    """The host in a URL or a bare host: lower case, without www., port and the dot at its end."""
    address = address.lower()
    host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    return host.removeprefix("www.").rstrip(".")


def outside_referrer(referrer: str, own_hosts: set[str]) -> str:
    """The host of a referrer that is none of the own ones, nor a parent or subdomain of one; else empty."""
    host = host_name(referrer)
    for own in map(host_name, own_hosts):
        if own and (host == own or host.endswith(f".{own}") or own.endswith(f".{host}")):
            return ""
    return host


def channel(utms: dict[str, str], click_ids: dict[str, str], referrer: str) -> str:
    """The channel of a visit by its UTM values, click ids and outside referrer ('' if none)."""
    sent_source, sent_medium = _word(utms["utm_source"]), _word(utms["utm_medium"])
    campaign = _word(utms["utm_campaign"])
    ranked = sorted(seed("channel_click_ids"), key=lambda row: int(row["rank"]))
    click = next((row for row in ranked if click_ids.get(row["click_id"])), _NO_CLICK)

    # a click id that was bought says paid, whatever the medium says that does not
    bought = click["is_bought"] == "1"
    if sent_medium and not (bought and not _says_paid(sent_medium)):
        source, medium = sent_source or click["source"] or referrer, sent_medium
    elif click["source"]:
        source, medium = click["source"], click["medium"]
    elif sent_source:
        # some tools put the medium there
        source, medium = sent_source, sent_source
    else:
        source, medium = referrer, ""
    if not sent_medium and source_category(source) == "direct":
        return "Direct"
    if not source and not medium and not campaign:
        return "Direct"
    return _channel_of_pair(source, medium, campaign, referrer)


def _channel_of_pair(source: str, medium: str, campaign: str, referrer: str) -> str:
    source_kind, medium_kind = source_category(source), _category("channel_mediums", "medium", medium)
    if "cross-network" in campaign:
        return "Paid Search"
    if is_paid(medium) and source_kind in ("search", "shopping"):
        return "Paid Search"
    if is_paid(medium) and re.search(r"(([^a-df-z]|^)shop|shopping)", campaign):
        return "Paid Search"
    if is_paid(medium) and source_kind in ("social", "video"):
        return "Paid Social"
    if medium_kind in ("display", "paid_search", "paid_social"):
        return {"display": "Display", "paid_search": "Paid Search", "paid_social": "Paid Social"}[medium_kind]
    if is_paid(medium):
        return "Other"
    if source_kind in ("social", "video") or medium_kind == "social" or "video" in medium:
        return "Organic Social"
    if source_kind == "search" or medium_kind == "search":
        return "Organic Search"
    by_kind = {"referral": "Referral", "email": "Email", "affiliate": "Affiliates", "shopping": "Referral"}
    if medium_kind in by_kind:
        return by_kind[medium_kind]
    if source_kind in by_kind:
        return by_kind[source_kind]
    return "Referral" if source and source == referrer and not medium else "Other"


def is_paid(medium: str) -> bool:
    """GA4's pattern for paid mediums."""
    return re.fullmatch(r".*cp.*|ppc|retargeting|paid.*", medium) is not None


def source_category(source: str) -> str:
    """What kind of source a word or a host is; a host stands for its subdomains, the longest match wins."""
    parts = source.split(".")
    hosts = [".".join(parts[place:]) for place in range(len(parts))]
    # `google.*` is the word google, and google under any top-level domain
    for name in [*hosts, f"{_registered_name(parts)}.*"]:
        if found := _category("channel_sources", "source", name):
            return found
    return ""


def _says_paid(medium: str) -> bool:
    kind = _category("channel_mediums", "medium", medium)
    return is_paid(medium) or kind in ("display", "paid_search", "paid_social")


def _registered_name(parts: list[str]) -> str:
    """`google` of `www.google.co.uk`."""
    if len(parts) < 2:
        return parts[0]
    is_two_part_ending = len(parts) > 2 and parts[-2] in ("co", "com", "org", "net") and len(parts[-1]) == 2
    return parts[-3] if is_two_part_ending else parts[-2]


def _category(name: str, key: str, value: str) -> str:
    return next((row["category"] for row in seed(name) if value and row[key] == value), "")


def _word(value: str) -> str:
    word = value.strip().lower()
    return "" if word in NOTHING else word

"""What is known of Juniper & Rye beforehand: its shops, menu, visitors' devices and the ways people find it."""

from dataclasses import dataclass
from datetime import date

LAST_DAY = date(2026, 10, 31)
DAYS = 30


@dataclass(frozen=True)
class Shop:
    """One location: a tenant. ``people`` is how many first visit during the thirty days."""

    tenant: str
    people: int
    city: str
    country: str
    timezone: str
    currency: str

    @property
    def host(self) -> str:
        """The host name of the shop's web site."""
        return f"{self.tenant}.juniperandrye.example"


LISBON = Shop("lisbon", 1300, "Lisbon", "PT", "Europe/Lisbon", "EUR")
PORTO = Shop("porto", 750, "Porto", "PT", "Europe/Lisbon", "EUR")
MADRID = Shop("madrid", 650, "Madrid", "ES", "Europe/Madrid", "EUR")
LONDON = Shop("london", 850, "London", "GB", "Europe/London", "GBP")

MENU: dict[str, float] = {
    "sourdough-loaf": 5.80,
    "rye-and-juniper": 6.40,
    "cardamom-bun": 3.20,
    "custard-tart": 1.90,
    "olive-focaccia": 4.50,
    "birthday-cake": 34.00,
    "breakfast-box": 18.50,
    "filter-coffee-beans": 12.00,
}

TOOLS = ("search_menu", "check_stock", "opening_hours", "suggest_gift", "track_order")

# (how often, browser, os, device type, user agent)
DEVICES: tuple[tuple[int, str, str, str, str], ...] = (
    (30, "Mobile Safari", "iOS", "Mobile", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1"),
    (24, "Chrome", "Android", "Mobile", "Mozilla/5.0 (Linux; Android 16; Pixel 10) Chrome/141.0 Mobile"),
    (20, "Chrome", "Windows", "Desktop", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0"),
    (12, "Safari", "Mac OS X", "Desktop", "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) Safari/605.1"),
    (8, "Firefox", "Linux", "Desktop", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Firefox/143.0"),
    (6, "Safari", "iPadOS", "Tablet", "Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) Safari/605.1"),
)


@dataclass(frozen=True)
class Source:
    """A way to the web site: what the landing page's address and referrer tell. Weights are per first / later visit."""

    first_visits: int
    later_visits: int
    referrer: str = ""
    utm: tuple[str, str, str] = ("", "", "")  # source, medium, campaign
    term: str = ""
    content: str = ""
    click_id: str = ""  # the parameter's name; its value is different each time


SOURCES: tuple[Source, ...] = (
    Source(14, 46),  # direct
    Source(20, 12, "https://www.google.com/"),
    Source(3, 2, "https://www.bing.com/"),
    Source(2, 1, "https://duckduckgo.com/"),
    Source(13, 5, "https://www.google.com/", ("google", "cpc", "autumn-bread"), "sourdough near me", "", "gclid"),
    Source(2, 1, "https://www.bing.com/", ("bing", "cpc", "autumn-bread"), "bakery delivery", "", "msclkid"),
    Source(10, 4, "https://l.facebook.com/", ("facebook", "paid_social", "birthday-cakes"), "", "carousel", "fbclid"),
    Source(5, 1, "https://www.tiktok.com/", ("tiktok", "paid_social", "croissant-asmr"), "", "video-2", "ttclid"),
    Source(8, 6, "https://www.instagram.com/"),
    Source(3, 2, "https://www.reddit.com/"),
    Source(2, 13, "", ("newsletter", "email", "weekly-menu"), "", "header"),
    Source(1, 4, "https://mail.google.com/", ("newsletter", "email", "come-back")),
    Source(4, 1, "https://crumbs-and-coffee.example/", ("crumbs", "affiliate", "bloggers")),
    Source(4, 1, "https://cityguide.example/", ("adnetwork", "display", "billboards"), "", "300x250"),
    Source(6, 3, "https://cityguide.example/best-bakeries"),
    Source(3, 1, "https://food-map.example/"),
    Source(2, 2, "", ("table-card", "qr", "counter")),  # in no channel group: Other
)

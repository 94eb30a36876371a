"""Who visits a business on a given day, as a pure function of (seed, day): no day has to be generated to know another.

People are numbered by the day they first come. On each day some two in five visits are by people of that day; the rest
are returns, mostly by people who came lately and mostly by the same loyal few. Everything that stays with a person
(devices, customer number, day of sign-up) is a hash of their number, so a person is the same on whatever day they show
up, and the business looks the same on day 60 as on day 3: no start-up effect, no growth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]

EVENTS_PER_SESSION = 6.0
OLDEST_DAYS = 120  # nobody returns after that
_NEW_VISITS = 0.4
_LOYAL_SHARE = 0.1  # these come again most often and mostly have an account
_DAY_MS = 86_400_000
# The share of a day's visits that begin in each UTC hour; the late ones cross midnight.
_HOURS = np.array([3, 2, 1, 1, 1, 2, 5, 8, 10, 10, 9, 9, 10, 9, 8, 8, 9, 11, 12, 12, 11, 9, 7, 5], dtype=np.float64)


@dataclass(frozen=True)
class Business:
    """The size and shape of what is generated. ``events_per_day`` counts events by the day they happen."""

    events_per_day: int
    seed: int
    tenants: int

    def tenant_shares(self) -> Floats:
        """How much of the traffic each tenant has: the first the most, each next one less."""
        weights = 1.0 / np.arange(1, self.tenants + 1)
        return weights / weights.sum()

    def newcomers_per_day(self) -> Ints:
        """How many people each tenant's day brings that were never there before."""
        sessions = self.events_per_day / EVENTS_PER_SESSION * self.tenant_shares()
        return np.maximum(2, sessions * _NEW_VISITS).astype(np.int64)

    def random(self, day: int, purpose: int) -> np.random.Generator:
        """The day's own random numbers for one purpose."""
        return np.random.Generator(np.random.Philox(key=[self.seed * 1000 + purpose, day]))


@dataclass(frozen=True)
class People:
    """A column per lasting trait, a row per (person, device) asked about."""

    user_number: Ints
    device: Words  # two per row: the bits of the device id
    kind: Ints  # which browser and system, 0..7
    login_day: Ints  # the day from which they are logged in on this device; a day far away: never
    has_old_account: Bools


@dataclass(frozen=True)
class Sessions:
    """A day's visits in the order of their start, which is in milliseconds since that day's midnight."""

    tenant: Ints
    start_ms: Ints
    length: Ints
    people: People
    is_logged_in: Bools
    is_login: Bools
    uses_old_account: Bools
    campaign: Ints  # index into the list of campaigns, 0 is none


def hashed(*parts: Ints | Words | int) -> Words:
    """A well-mixed 64-bit hash of integers, element by element (the finaliser of splitmix64)."""
    state: Words = np.full(1, 0x9E3779B97F4A7C15, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = (np.asarray(part).astype(np.uint64) ^ state) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def people(business: Business, tenant: Ints, number: Ints, choice: Words) -> People:
    """The lasting traits of persons by number; ``choice`` picks one of their one to three devices."""
    traits = hashed(business.seed, tenant, number)
    # One pair of neighbours in twelve is a household, whose second device is one and the same.
    is_household = hashed(business.seed, tenant, number // 2, 7) % np.uint64(12) == 0
    devices = np.array([1, 1, 1, 1, 2, 2, 2, 3], dtype=np.uint64)[traits % np.uint64(8)]
    which = choice % np.where(is_household, np.maximum(devices, np.uint64(2)), devices)
    owner = np.where(is_household & (which == 1), number - number % 2, number)
    device = np.stack([hashed(business.seed, tenant, owner, which, part) for part in (1, 2)], axis=1)
    newcomers = business.newcomers_per_day()[tenant]
    first_day = number // newcomers - OLDEST_DAYS
    account_day = first_day + ((traits >> np.uint64(8)) % np.uint64(10)).astype(np.int64)
    later = (which * ((traits >> np.uint64(20)) % np.uint64(15))).astype(np.int64)
    is_loyal = number % newcomers < newcomers * _LOYAL_SHARE
    has_account = (traits >> np.uint64(28)) % np.uint64(100) < np.where(is_loyal, 80, 25).astype(np.uint64)
    return People(
        user_number=number,
        device=device,
        kind=(device[:, 0] % np.uint64(8)).astype(np.int64),
        login_day=np.where(has_account, account_day + later, np.iinfo(np.int64).max),
        has_old_account=(traits >> np.uint64(48)) % np.uint64(50) == 0,
    )


def some_people(business: Business, day: int, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draws (tenant, person number) of ``count`` visits of a day: newcomers, and returns of the loyal."""
    tenant = np.searchsorted(np.cumsum(business.tenant_shares())[:-1], rng.random(count), side="right")
    newcomers = business.newcomers_per_day()[tenant]
    is_new = rng.random(count) < _NEW_VISITS
    age = np.where(is_new, 0, 1 + (OLDEST_DAYS - 1) * rng.random(count) ** 3).astype(np.int64)
    position = np.where(is_new, rng.random(count), rng.random(count) ** 4)
    number = (day - age + OLDEST_DAYS) * newcomers + (position * newcomers).astype(np.int64)
    return tenant.astype(np.int64), number


def sessions_of(business: Business, day: int, campaigns: int) -> Sessions:
    """The visits of a day: together exactly ``events_per_day`` events."""
    rng = business.random(day, purpose=1)
    drawn = int(business.events_per_day / EVENTS_PER_SESSION * 1.2) + 60
    length = 1 + np.minimum(rng.exponential(EVENTS_PER_SESSION - 0.5, drawn).astype(np.int64), 60)
    total = np.cumsum(length)
    count = int(np.searchsorted(total, business.events_per_day)) + 1
    length = length[:count]
    length[-1] -= total[count - 1] - business.events_per_day

    tenant, number = some_people(business, day, count, rng)
    who = people(business, tenant, number, rng.integers(0, 2**32, count).astype(np.uint64))
    clock = np.concatenate([[0.0], np.cumsum(_HOURS) / _HOURS.sum()])
    start_ms = np.interp(np.sort(rng.random(count)), clock, np.linspace(0, _DAY_MS, 25)).astype(np.int64)
    is_logged_in = who.login_day <= day
    return Sessions(
        tenant=tenant,
        start_ms=start_ms,
        length=length,
        people=who,
        is_logged_in=is_logged_in,
        is_login=is_logged_in & ((who.login_day == day) | (rng.random(count) < 0.25)),
        uses_old_account=is_logged_in & who.has_old_account & (rng.random(count) < 0.1),
        campaign=np.where(rng.random(count) < 0.45, rng.integers(1, campaigns, count), 0),
    )

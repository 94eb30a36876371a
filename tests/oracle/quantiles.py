"""Exact quantiles, between two values interpolated."""


def quantile(values: list[float], share: float) -> float | None:
    """The value below which that share of them lies; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

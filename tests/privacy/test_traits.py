"""What of a person's attributes names this person alone."""

import pytest

from privacy.person import traits_of


@pytest.mark.parametrize(
    ("attributes", "traits"),
    [
        ({"email": "eve@canary.example", "plan": "gold"}, {"eve@canary.example"}),
        ({"contact": "eve@canary.example"}, {"eve@canary.example"}),
        ({"phone": "+49 170 1234567"}, {"+49 170 1234567"}),
        ({"mobile_number": 491701234567}, {"491701234567"}),
        # an extension, a version of a telephone, a name: others have the same
        ({"phone": "112", "phone_model": "Pixel 9", "name": "Eve Adams", "visits": 12345678}, set()),
        ({"phone": None, "emails": ["a@b.example"], "has_phone": True}, set()),
    ],
)
def test_traits(attributes: dict[str, object], traits: set[str]) -> None:
    assert traits_of(attributes) == traits

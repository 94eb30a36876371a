import pytest

from benchmarks.single_pass import ratio


def test_ratio_is_ours_over_theirs() -> None:
    assert ratio(3.0, 2.0) == 1.5
    with pytest.raises(ValueError, match="no time"):
        ratio(1.0, 0.0)

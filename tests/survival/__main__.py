"""`python -m tests.survival --rounds 50`: many rounds of loads and builds killed at random, each compared."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.survival.rounds import random_round
from tests.survival.test_kills import home_in


def main() -> int:
    """Run the rounds; returns 1 after the first that left something different."""
    parser = argparse.ArgumentParser(prog="python -m tests.survival", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = home_in(Path(folder))
        for number in range(arguments.rounds + 1):
            each = random_round(rng, number)
            print(f"round {number}: {'; '.join(map(str, each.at_load + each.at_build)) or 'undisturbed'}", flush=True)
            home.suffer(each)
            differences = home.differences()
            if differences:
                print("\n".join(differences))
                return 1
    print(f"{arguments.rounds} rounds: every one ended as if undisturbed; {home.wounds} of {home.blows} blows landed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

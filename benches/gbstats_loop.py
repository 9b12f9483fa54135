"""gbstats' tests, one by one as its classes are made, in the environment of `make oracles`.

Prints the seconds of the processor per comparison: Welch, sequential.
"""

from __future__ import annotations

import random
import sys
import time

from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import SampleMeanStatistic


def main() -> None:
    count = int(sys.argv[1])
    chance = random.Random(1)
    arms = []
    for _ in range(count):
        pair = []
        for mean in (10.0, 10.5):
            n, sd = chance.randint(50, 5000), chance.uniform(1, 3)
            pair.append(SampleMeanStatistic(n=n, sum=n * mean, sum_squares=(n - 1) * sd**2 + n * mean**2))
        arms.append(pair)
    for kind, config in (
        (TwoSidedTTest, FrequentistConfig(difference_type="absolute")),
        (SequentialTwoSidedTTest, SequentialConfig(difference_type="absolute")),
    ):
        begin = time.process_time()
        for control, treatment in arms:
            kind(control, treatment, config).compute_result()
        print((time.process_time() - begin) / count)


if __name__ == "__main__":
    main()

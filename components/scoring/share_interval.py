"""How sure a share is by itself, such as one model's accuracy.

Wilson's score interval (Wilson 1927; Brown, Cai & DasGupta 2001). A bootstrap of questions that all came out alike has
no width, however few they are; this one has: none right of 6 is 0 to 39.0 %.
"""

from math import sqrt
from statistics import NormalDist

from components.scoring.bootstrap import Interval


def share_interval(right: int, questions: int, *, confidence: float = 0.95) -> Interval:
    """`right` of `questions`, and the bounds of the interval; all in [0, 1].

    Raises:
        ValueError: no question, or `right` outside of 0 to `questions`.
    """
    if not 0 <= right <= questions or not questions:
        raise ValueError(f"expected 0 to {questions} right of at least one question, got {right}")
    share = right / questions
    width = NormalDist().inv_cdf((1 + confidence) / 2) ** 2 / questions
    center = (share + width / 2) / (1 + width)
    reach = sqrt(width * (share * (1 - share) + width / 4)) / (1 + width)
    return Interval(
        mean=share,
        low=0.0 if not right else center - reach,
        high=1.0 if right == questions else center + reach,
    )

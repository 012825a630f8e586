"""The exact sign test on questions that changed: what a bootstrap of few questions can't see.

Where all changes go one way, every resample has the same sign, and the bootstrap's lower bound is above zero however
few they are: one question set right would do.
"""

from math import comb


def sign_test(fixed: int, broken: int) -> float:
    """P(at least `fixed` of the changed questions are set right) when both ways are equally likely; 1 without a change.

    One-sided and exact: sum over k >= fixed of C(n, k) / 2^n with n = fixed + broken (Conover 1999, Section 3.4).
    """
    changed = fixed + broken
    ways: int = 2**changed  # whole numbers: a float would overflow beyond a thousand changes
    return sum(comb(changed, right) for right in range(fixed, changed + 1)) / ways

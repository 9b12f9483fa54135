"""mpmath: definitions evaluated with 60 digits, where floating-point engines lose theirs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb
from typing import Any

from mpmath import beta, betainc, erfc, findroot, gamma, log, mp, mpf, quad, sqrt

PACKAGE = "mpmath"
mp.dps = 60

Question = dict[str, Any]
Figures = dict[str, float]


def t_tail(q: Question) -> Figures:
    t, df = mpf(q["statistic"]), mpf(q["df"])
    return {"p_value": float(betainc(df / 2, mpf(1) / 2, 0, df / (df + t * t), regularized=True))}


def _arms(q: Question) -> list[tuple[Any, Any]]:
    a, b = (mpf(value) for value in q["prior"])
    return [(a + s, b + n - s) for s, n in (q["control"], q["treatment"])]


def _beta_pdf(x: Any, a: Any, b: Any) -> Any:
    return x ** (a - 1) * (1 - x) ** (b - 1) / beta(a, b)


def _places(a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """Returns where an integral over products of two Beta densities is to be split."""
    marks = {mpf(0), mpf(1)}
    for one, other in ((a, b), (c, d)):
        mean = one / (one + other)
        sd = sqrt(mean * (1 - mean) / (one + other + 1))
        marks |= {min(max(mean + k * sd, mpf(0)), mpf(1)) for k in (-12, -6, -3, -1, 0, 1, 3, 6, 12)}
    return sorted(marks)


def _better_by(shift: Any, arms: list[tuple[Any, Any]]) -> Any:
    """Returns P(treatment - control > shift)."""
    (a, b), (c, d) = arms

    def part(x: Any) -> Any:
        needed = x + shift
        if needed >= 1:
            return mpf(0)
        below = mpf(0) if needed <= 0 else betainc(c, d, 0, needed, regularized=True)
        return _beta_pdf(x, a, b) * (1 - below)

    return quad(part, _places(a, b, c, d))


def beta_binomial(q: Question) -> Figures:
    mp.dps = 25
    arms = _arms(q)
    (a, b), (c, d) = arms
    if a + b > 100_000:
        return {}
    chance = _better_by(mpf(0), arms)
    loss = quad(
        lambda x: (
            _beta_pdf(x, c, d)
            * (a / (a + b) * betainc(a + 1, b, x, 1, regularized=True) - x * betainc(a, b, x, 1, regularized=True))
        ),
        _places(a, b, c, d),
    )
    return {
        "chance_to_beat": float(chance),
        "expected_lift": float(c / (c + d) - a / (a + b)),
        "expected_loss": float(loss),
        "chance_of_practical": float(_better_by(mpf(1) / 100, arms)),
    }


def cohens_d(q: Question) -> Figures:
    mp.dps = 60
    control, treatment = ([mpf(value) for value in q[arm]] for arm in ("control", "treatment"))
    means = [sum(values) / len(values) for values in (control, treatment)]
    squares = sum(
        sum((value - mean) ** 2 for value in values) for values, mean in zip((control, treatment), means, strict=True)
    )
    df = len(control) + len(treatment) - 2
    d = (means[1] - means[0]) / sqrt(squares / df)
    return {"d": float(d), "g": float(d * gamma(mpf(df) / 2) / (sqrt(mpf(df) / 2) * gamma(mpf(df - 1) / 2)))}


def srm_sequential(q: Question) -> Figures:
    mp.dps = 60
    weights = [mpf(weight) for weight in q["weights"]]
    prior = [weight / sum(weights) * mpf(q["concentration"]) for weight in weights]
    total = sum(q["units"])
    log_e = mp.loggamma(sum(prior)) - mp.loggamma(sum(prior) + total)
    for a, n, weight in zip(prior, q["units"], weights, strict=True):
        log_e += mp.loggamma(a + n) - mp.loggamma(a) - n * log(weight / sum(weights))
    e = mp.exp(log_e)
    return {"e_value": float(e), "p_value": min(1.0, float(1 / e))}


def relative_lift(q: Question) -> Figures:
    """Fieller's ends as the ratios at which the contrast treatment - r·control is exactly at its critical value."""
    mp.dps = 60
    level = mpf(str(q.get("confidence", 0.95)))
    z = findroot(lambda value: erfc(value / sqrt(2)) - (1 - level), 2)
    c, se_c, t, se_t = (mpf(str(q[name])) for name in ("control", "control_error", "treatment", "treatment_error"))
    # (t - r·c)² = z²(se_t² + r²·se_c²)
    square, linear, constant = c**2 - z**2 * se_c**2, -2 * t * c, t**2 - z**2 * se_t**2
    root = sqrt(linear**2 - 4 * square * constant)
    return {
        "fieller_lower": float((-linear - root) / (2 * square) - 1),
        "fieller_upper": float((-linear + root) / (2 * square) - 1),
    }


def barnard_exact(q: Question) -> Figures:
    """The largest probability, over all common rates, of tables at least as far apart by the pooled z."""
    mp.dps = 30
    (a, m), (b, n) = q["control"], q["treatment"]

    def square(x: int, y: int) -> Fraction:
        pooled = Fraction(x + y, m + n)
        spread = pooled * (1 - pooled) * (Fraction(1, m) + Fraction(1, n))
        return (Fraction(x, m) - Fraction(y, n)) ** 2 / spread if spread else Fraction(0)

    ways: dict[int, int] = {}
    for x in range(m + 1):
        for y in range(n + 1):
            if square(x, y) >= square(a, b):
                ways[x + y] = ways.get(x + y, 0) + comb(m, x) * comb(n, y)

    def chance(rate: Any) -> Any:
        return sum(count * rate**k * (1 - rate) ** (m + n - k) for k, count in ways.items())

    rates = [mpf(k) / 2000 for k in range(1, 2000)]
    best = max(rates, key=chance)
    low, high = best - mpf(1) / 2000, best + mpf(1) / 2000
    for _ in range(100):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if chance(left) < chance(right) else (low, right)
    return {"p_value": min(1.0, float(chance((low + high) / 2)))}


def bernoulli_cs(q: Question) -> Figures:
    """The smallest product of both arms' beta-binomial martingales over equal rates; its reciprocal is the p-value."""
    mp.dps = 40
    level = sqrt(mpf(str(q.get("alpha", 0.05))))
    # n·ρ² = x at which the interval is shortest: ln((x + 1)/level²) = x.
    tuned = findroot(lambda x: log((x + 1) / level**2) - x, -2 * log(level) + 1)
    weight = mpf(q["planned_n"]) / 2 / tuned - 1

    def log_product(p: Any) -> Any:
        found = mpf(0)
        for successes, trials in (q["control"], q["treatment"]):
            a, b = weight * p, weight * (1 - p)
            found += mp.loggamma(a + successes) + mp.loggamma(b + trials - successes) - mp.loggamma(weight + trials)
            found -= mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(weight)
            found -= successes * log(p) + (trials - successes) * log(1 - p)
        return found

    pooled = mpf(q["control"][0] + q["treatment"][0]) / (q["control"][1] + q["treatment"][1])
    rate = findroot(lambda p: mp.diff(log_product, p), pooled)
    return {"p_value": min(1.0, float(mp.exp(-log_product(rate))))}


ANSWERS: dict[str, Callable[[Question], Figures]] = {
    "t_tail": t_tail,
    "beta_binomial": beta_binomial,
    "barnard_exact": barnard_exact,
    "bernoulli_cs": bernoulli_cs,
    "cohens_d": cohens_d,
    "srm_sequential": srm_sequential,
    "relative_lift": relative_lift,
}

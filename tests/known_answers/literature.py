"""Numbers that were printed, each beside the call that gives sortition's.

A number is allowed half a unit of the last digit that was printed, where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from known_answers.cases import Case
from known_answers.ours import moments
from sortition import stats
from sortition.stats.distributions import critical

__all__ = ["CASES"]


def _case(source: str, name: str, printed: str, found: object, allowed: float | None = None) -> Case:
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    half = 0.5000001 * 10.0**exponent
    return Case(source, name, float(printed), float(np.asarray(found)), half if allowed is None else allowed)


def _pair(source: str, name: str, printed: tuple[str, str], found: object) -> Iterator[Case]:
    for end, text in zip(("lower", "upper"), printed, strict=True):
        yield _case(source, f"{name}/{end}", text, getattr(found, end))


def _proportions() -> Iterator[Case]:
    source = "Newcombe 1998, two proportions, method 10"
    for treatment, control, printed in (
        ((56, 70), (48, 80), ("0.0524", "0.3339")),
        ((9, 10), (3, 10), ("0.1705", "0.8090")),
        ((6, 7), (2, 7), ("0.0582", "0.8062")),
        ((5, 56), (0, 29), ("-0.0381", "0.1926")),
        ((0, 10), (0, 20), ("-0.1611", "0.2775")),
        ((0, 10), (0, 10), ("-0.2775", "0.2775")),
        ((10, 10), (0, 20), ("0.6791", "1.0000")),
        ((10, 10), (0, 10), ("0.6075", "1.0000")),
    ):
        found = stats.newcombe(stats.Counts.of(*control), stats.Counts.of(*treatment))
        yield from _pair(source, f"newcombe/{treatment[0]}of{treatment[1]}", printed, found)
    source = "Newcombe 1998, one proportion, method 3"
    for counts, printed in (
        ((81, 263), ("0.2553", "0.3662")),
        ((15, 148), ("0.0624", "0.1605")),
        ((0, 20), ("0.0000", "0.1611")),
        ((1, 29), ("0.0061", "0.1718")),
    ):
        yield from _pair(source, f"wilson/{counts[0]}of{counts[1]}", printed, stats.wilson(stats.Counts.of(*counts)))
    source = "Agresti 2002: aspirin and heart attacks"
    aspirin = stats.two_proportion_z(stats.Counts.of(104, 11_037), stats.Counts.of(189, 11_034))
    yield _case(source, "two_proportion_z/aspirin/difference", "0.0077", aspirin.difference)
    yield from _pair(source, "two_proportion_z/aspirin", ("0.005", "0.011"), aspirin)
    lift = stats.relative_lift(
        aspirin.control, aspirin.control_error, aspirin.treatment, aspirin.treatment_error, method="log"
    )
    yield _case(source, "relative_lift/aspirin/value", "0.82", lift.value)
    yield _case(source, "relative_lift/aspirin/lower", "0.43", lift.lower)
    source = "R 4 documentation, fisher.test"
    tea = stats.fisher_exact(stats.Counts.of(1, 4), stats.Counts.of(3, 4))
    yield _case(source, "fisher_exact/tea/p_value", "0.4857", tea)
    convictions = stats.fisher_exact(stats.Counts.of(2, 17), stats.Counts.of(10, 13))
    yield _case(source, "fisher_exact/convictions/p_value", "0.0005367", convictions)
    barnard = stats.barnard_exact(stats.Counts.of(0, 3), stats.Counts.of(3, 3))
    yield _case("Barnard 1945", "barnard_exact/three/p_value", "0.03125", barnard, 1e-12)


def _means() -> Iterator[Case]:
    source = "R 4 documentation, t.test: extra sleep"
    control = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    treatment = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    sleep = stats.welch_t(moments(control), moments(treatment))
    yield _case(source, "welch_t/sleep/statistic", "1.8608", sleep.statistic)
    yield _case(source, "welch_t/sleep/df", "17.776", sleep.df)
    yield _case(source, "welch_t/sleep/p_value", "0.07939", sleep.p_value)
    yield from _pair(source, "welch_t/sleep", ("-0.2054832", "3.3654832"), sleep)
    source = "NIST e-Handbook 1.3.5.3: cars"
    cars = stats.welch_t(stats.Moments.of(249, 20.14458, 6.41470**2), stats.Moments.of(79, 30.48101, 6.10771**2))
    yield _case(source, "welch_t/cars/statistic", "12.94627", cars.statistic, 2e-4)
    yield _case(source, "welch_t/cars/df", "136.8750", cars.df, 2e-3)
    source = "NIST e-Handbook 1.3.5.2: ZARR13"
    heat = stats.confidence_interval(stats.Moments.of(195, 9.261460, 0.2278881e-01**2))
    # Its mean is printed with six decimals, so the ends are known to half of the last as well.
    for end, printed in (("lower", 9.258242), ("upper", 9.264679)):
        yield Case(source, f"confidence_interval/heat/{end}", printed, float(getattr(heat, end)), 1e-6)
    source = "Student's t, printed tables"
    for df, text in ((1, "12.706"), (5, "2.571"), (10, "2.228"), (30, "2.042"), (120, "1.980")):
        yield _case(source, f"confidence_interval/t{df}/critical", text, critical(0.95, df))


def _split() -> Iterator[Case]:
    source = "Kohavi, Tang, Xu 2020, chapter 21"
    yield _case(source, "srm_chi2/kohavi/p_value", "0.0000018", stats.srm_chi2([821_588, 815_482], [1, 1]).p_value)
    peas = stats.srm_chi2([315, 101, 108, 32], [9, 3, 3, 1])
    yield _case("Mendel's peas, Fisher 1936", "srm_chi2/peas/statistic", "0.470", peas.statistic)


def _several() -> Iterator[Case]:
    source = "Benjamini, Hochberg 1995, their example"
    p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0000,
    ]  # fmt: skip
    yield _case(source, "benjamini_hochberg/heart/rejected", "4", (stats.benjamini_hochberg(p) <= 0.05).sum(), 0)
    yield _case(source, "holm/heart/rejected", "3", (stats.holm(p) <= 0.05).sum(), 0)


def _sequential() -> Iterator[Case]:
    source = "Armitage, McPherson, Rowe 1969"
    for looks, text in ((2, "0.083"), (3, "0.107"), (4, "0.126"), (5, "0.142"), (10, "0.193"), (20, "0.248")):
        found = stats.crossing_probability(looks, np.full(looks, 1.959964)).sum()
        yield _case(source, f"crossing_probability/peeking{looks}/total", text, found)
    source = "Jennison, Turnbull 2000, tables 2.1 and 2.3"
    for looks, pocock, obrien_fleming in (
        (2, 2.178, 1.977),
        (3, 2.289, 2.004),
        (4, 2.361, 2.024),
        (5, 2.413, 2.040),
        (10, 2.555, 2.087),
    ):
        # The borders are printed with three decimals: what leaves them is known to about 0.0001.
        found = stats.crossing_probability(looks, np.full(looks, pocock)).sum()
        yield _case(source, f"crossing_probability/pocock{looks}/total", "0.05", found, 1e-4)
        borders = obrien_fleming * np.sqrt(looks / np.arange(1, looks + 1))
        found = stats.crossing_probability(looks, borders).sum()
        yield _case(source, f"crossing_probability/obrien_fleming{looks}/total", "0.05", found, 1e-4)
    source = "Lan, DeMets 1983, as manuals tabulate it"
    for spending, texts in (
        ("obrien_fleming", ("4.877", "3.357", "2.680", "2.290", "2.031")),
        ("pocock", ("2.438", "2.427", "2.410", "2.397", "2.386")),
        ("obrien_fleming", ("3.7103", "2.5114", "1.9930")),
        ("obrien_fleming", ("2.9626", "1.9686")),
    ):
        plan = stats.group_sequential(len(texts), spending=spending)
        for look, text in enumerate(texts):
            yield _case(source, f"group_sequential/{spending}{len(texts)}/z{look}", text, plan.z[look])


def _power() -> Iterator[Case]:
    source = "R 4 documentation, power.t.test and power.prop.test"
    # It leaves out rejections in the wrong direction: 2e-7 here.
    yield _case(source, "power_mean/r/power", "0.8689528", stats.power_mean(1, 1, 20), 1e-6)
    yield _case(source, "sample_size_mean/r/units", "23", stats.sample_size_mean(1, 1, power=0.9), 0)
    yield _case(source, "power_proportion/r/power", "0.7401659", stats.power_proportion(0.5, 0.75, 50), 1e-6)
    yield _case(source, "sample_size_proportion/r/units", "77", stats.sample_size_proportion(0.5, 0.75, power=0.9), 0)
    source = "Cohen 1988, table 2.4.1"
    for difference, text in ((0.5, "64"), (0.8, "26"), (1.0, "17")):
        yield _case(source, f"sample_size_mean/d{difference}/units", text, stats.sample_size_mean(difference, 1), 0)
    source = "Kish 1965: the design effect 1 + (m - 1)·icc"
    for m, icc, text in ((10, 0.05, "1.45"), (50, 0.02, "1.98"), (30, 0.01, "1.29")):
        found = stats.unit_sd(1, m, icc) ** 2 * m
        yield _case(source, f"unit_sd/{m}/effect", text, found, 1e-12)


def _bayes() -> Iterator[Case]:
    source = "exact rationals: uniform and triangular rates"
    counts = stats.Counts.of
    for name, control, treatment, text in (
        ("one", counts(0, 0), counts(1, 1), 2 / 3),
        ("apart", counts(1, 1), counts(0, 1), 1 / 6),
        ("none", counts(0, 0), counts(0, 0), 1 / 2),
    ):
        found = stats.beta_binomial(control, treatment).chance_to_beat
        yield Case(source, f"beta_binomial/{name}/chance_to_beat", text, float(found), 1e-12)
    loss = stats.beta_binomial(counts(0, 0), counts(0, 0)).expected_loss
    yield Case(source, "beta_binomial/none/expected_loss", 1 / 6, float(loss), 1e-12)
    source = "Gelman et al. 2013, section 2.5"
    for prior_sd, mean in ((1.0, 0.5), (2.0, 0.8)):
        found = stats.normal_normal(1.0, 1.0, 0.0, prior_sd).expected_lift
        yield Case(source, f"normal_normal/prior{prior_sd}/expected_lift", mean, float(found), 1e-12)


def _bootstrap() -> Iterator[Case]:
    source = "Efron, Tibshirani 1993, chapter 14: spatial test A"
    spatial = [
        48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41,
    ]  # fmt: skip
    found = stats.bootstrap([spatial], np.var, confidence=0.9)
    yield _case(source, "bootstrap/spatial/value", "171.5", found.value)
    # Theirs are of 2,000 resamples, whose ends are known to about 2, and to 4 further out.
    percentile = stats.bootstrap([spatial], np.var, confidence=0.9, method="percentile")
    yield _case(source, "bootstrap/spatial/percentile_lower", "100.8", percentile.lower, 4)
    yield _case(source, "bootstrap/spatial/percentile_upper", "233.9", percentile.upper, 4)
    yield _case(source, "bootstrap/spatial/bca_lower", "115.8", found.lower, 4)
    yield _case(source, "bootstrap/spatial/bca_upper", "259.6", found.upper, 10)


def _all() -> Iterator[Case]:
    for part in (_proportions, _means, _split, _several, _sequential, _power, _bayes, _bootstrap):
        yield from part()


CASES = list(_all())

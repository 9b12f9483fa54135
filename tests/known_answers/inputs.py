"""What every engine is asked: plain numbers and lists, so that a program in any language can read them.

`INPUTS[method][name]` are the arguments of one question. Raw data are rounded to four decimals: what is asked is
exactly what is written here.
"""

from __future__ import annotations

import random
from typing import Any

from published import column, nsw

__all__ = ["INPUTS", "Question"]

Question = dict[str, Any]
"""Arguments by name."""

# Gosset's patients: additional hours of sleep with two drugs (Student 1908), as in R's data set `sleep`.
_SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def _normal(seed: int, n: int, mean: float, sd: float) -> list[float]:
    chance = random.Random(seed)
    return [round(chance.gauss(mean, sd), 4) for _ in range(n)]


def _skewed(seed: int, n: int, sigma: float) -> list[float]:
    chance = random.Random(seed)
    return [round(chance.lognormvariate(0, sigma), 4) for _ in range(n)]


def _units(seed: int, units: int, rate: float) -> tuple[list[float], list[float]]:
    """Returns visits (1 to 9) and revenue of units whose own mean differs: outcomes that are not independent."""
    chance = random.Random(seed)
    visits = [float(chance.randint(1, 9)) for _ in range(units)]
    revenue = [round(count * max(chance.gauss(rate, rate / 3), 0), 4) for count in visits]
    return visits, revenue


def _covariates(seed: int, units: int, effect: float) -> tuple[list[float], list[float]]:
    """Returns a covariate and an outcome that depends on it."""
    chance = random.Random(seed)
    before = [round(chance.gauss(20, 5), 4) for _ in range(units)]
    after = [round(0.8 * x + effect + chance.gauss(0, 3), 4) for x in before]
    return before, after


def _two(control: list[float], treatment: list[float], **more: Any) -> Question:
    return {"control": control, "treatment": treatment, **more}


_NSW_CONTROL, _NSW_TREATED = nsw()
_BEFORE, _TREAT = column("nsw_mixtape.csv", "re75"), column("nsw_mixtape.csv", "treat")

_SAMPLES: dict[str, Question] = {
    "sleep": _two(*_SLEEP),
    "nsw": _two(_NSW_CONTROL.tolist(), _NSW_TREATED.tolist()),
    "tiny": _two([1.0, 2.0], [3.0, 5.0, 9.0]),
    "unbalanced": _two(_normal(1, 6, 10, 1), _normal(2, 60, 10.5, 4)),
    "offset": _two(_normal(3, 30, 1e6, 1), _normal(4, 40, 1e6 + 0.5, 1)),
    "skewed": _two(_skewed(5, 80, 1.2), _skewed(6, 100, 1.2)),
    "level99": _two(_normal(7, 25, 0, 1), _normal(8, 35, 0.2, 2), confidence=0.99),
}

_COUNTS: dict[str, Question] = {
    "fleiss": {"control": [48, 80], "treatment": [56, 70]},
    "hiv": {"control": [211, 623], "treatment": [1745, 2211]},
    "rare": {"control": [90, 100_000], "treatment": [130, 100_100]},
    "common": {"control": [980, 1000], "treatment": [991, 1001]},
    "unbalanced": {"control": [15, 30], "treatment": [410, 1000]},
    "level90": {"control": [20, 100], "treatment": [35, 110], "confidence": 0.90},
}

_SMALL: dict[str, Question] = {
    "tea": {"control": [1, 4], "treatment": [3, 4]},
    "scipy": {"control": [7, 24], "treatment": [8, 11]},
    "convictions": {"control": [2, 17], "treatment": [10, 13]},
    "zero": {"control": [0, 9], "treatment": [4, 10]},
    "equal": {"control": [3, 12], "treatment": [3, 12]},
    "wide": {"control": [2, 40], "treatment": [9, 25]},
}

_ESTIMATES: dict[str, Question] = {
    "plain": {"control": 10.0, "control_error": 0.3, "treatment": 12.0, "treatment_error": 0.4},
    "noisy": {"control": 2.0, "control_error": 0.6, "treatment": 3.0, "treatment_error": 0.5},
    "loss": {"control": 100.0, "control_error": 1.5, "treatment": 91.0, "treatment_error": 1.25, "confidence": 0.9},
}

_P_VALUES: dict[str, Question] = {
    "three": {"p": [0.01, 0.04, 0.03]},
    "ties": {"p": [0.02, 0.02, 0.5, 0.02, 0.9]},
    "ordered": {"p": [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 1.0]},
    "tiny": {"p": [1e-300, 1e-12, 0.3, 0.0499]},
}

_CLUSTERS: dict[str, Question] = {
    name: {
        **dict(zip(("control_visits", "control_total"), _units(seed, control, 2.0), strict=True)),
        **dict(zip(("treatment_visits", "treatment_total"), _units(seed + 50, treatment, rate), strict=True)),
    }
    for name, seed, control, treatment, rate in [
        ("forty", 11, 40, 40, 2.2),
        ("unbalanced", 12, 25, 90, 2.0),
        ("few", 13, 8, 9, 3.0),
        ("large", 14, 128, 128, 2.1),
    ]
}

_CUPED: dict[str, Question] = {
    name: {
        **dict(zip(("control_before", "control"), _covariates(seed, control, 0), strict=True)),
        **dict(zip(("treatment_before", "treatment"), _covariates(seed + 50, treatment, effect), strict=True)),
    }
    for name, seed, control, treatment, effect in [
        ("forty", 21, 40, 40, 1.0),
        ("unbalanced", 22, 30, 90, 0.5),
        ("large", 23, 150, 140, 0.3),
    ]
}
_CUPED["nsw"] = {
    "control_before": _BEFORE[_TREAT == 0].tolist(),
    "control": _NSW_CONTROL.tolist(),
    "treatment_before": _BEFORE[_TREAT == 1].tolist(),
    "treatment": _NSW_TREATED.tolist(),
}

_DIFFERENCES: dict[str, Question] = {
    "clear": {"difference": 1.0, "standard_error": 0.3, "prior_mean": 0.0, "prior_sd": 0.5},
    "doubt": {"difference": -0.1, "standard_error": 0.2, "prior_mean": 0.1, "prior_sd": 0.4},
    "weak": {"difference": 4.0, "standard_error": 2.0, "prior_mean": 0.0, "prior_sd": 20.0},
}

_BETA: dict[str, Question] = {
    "flat": {"control": [48, 80], "treatment": [56, 70], "prior": [1.0, 1.0]},
    "jeffreys": {"control": [3, 40], "treatment": [9, 38], "prior": [0.5, 0.5]},
    "informed": {"control": [120, 1000], "treatment": [150, 1010], "prior": [20.0, 180.0]},
    "rare": {"control": [2, 5000], "treatment": [9, 5100], "prior": [1.0, 1.0]},
    "none": {"control": [0, 10], "treatment": [0, 12], "prior": [1.0, 1.0]},
    "large": {"control": [50_000, 1_000_000], "treatment": [50_400, 1_000_000], "prior": [1.0, 1.0]},
}

INPUTS: dict[str, dict[str, Question]] = {
    "welch_t": _SAMPLES,
    "cohens_d": _SAMPLES,
    "confidence_interval": {
        "sleep": {"values": _SLEEP[0]},
        "skewed": {"values": _skewed(31, 60, 1.0)},
        "offset": {"values": _normal(32, 20, 1e6, 2), "confidence": 0.99},
    },
    "relative_samples": {name: _SAMPLES[name] for name in ("nsw", "skewed", "unbalanced", "sleep")},
    "two_proportion_z": _COUNTS,
    "newcombe": {**_COUNTS, **_SMALL},
    "wilson": {
        "none": {"counts": [0, 10]},
        "half": {"counts": [15, 30]},
        "all": {"counts": [12, 12]},
        "newcombe": {"counts": [81, 263]},
        "rare": {"counts": [3, 100_000], "confidence": 0.99},
    },
    "relative_counts": _COUNTS,
    "fisher_exact": {**_SMALL, "fleiss": _COUNTS["fleiss"], "hiv": _COUNTS["hiv"]},
    "barnard_exact": _SMALL,
    "relative_lift": _ESTIMATES,
    "holm": _P_VALUES,
    "benjamini_hochberg": _P_VALUES,
    "ratio_delta": _CLUSTERS,
    "cuped": _CUPED,
    "srm_chi2": {
        "even": {"units": [821_588, 815_482], "weights": [0.5, 0.5]},
        "three": {"units": [3300, 3420, 3280], "weights": [1, 1, 1]},
        "uneven": {"units": [9000, 1080], "weights": [0.9, 0.1]},
        "four": {"units": [101, 211, 290, 398], "weights": [0.1, 0.2, 0.3, 0.4]},
        "extreme": {"units": [60_000, 50_000], "weights": [0.5, 0.5]},
    },
    "srm_sequential": {
        "even": {"units": [60, 40], "weights": [0.5, 0.5], "concentration": 100.0},
        "three": {"units": [330, 342, 280], "weights": [0.25, 0.5, 0.25], "concentration": 100.0},
        "loose": {"units": [5100, 4900], "weights": [0.5, 0.5], "concentration": 10.0},
        "tight": {"units": [5200, 4800], "weights": [0.5, 0.5], "concentration": 10_000.0},
    },
    "non_inferiority": {
        name: {**_SAMPLES[sample], "margin": margin, "maximize": maximize}
        for name, sample, margin, maximize in [
            ("nsw", "nsw", 0.05, True),
            ("unbalanced", "unbalanced", 0.1, True),
            ("skewed", "skewed", 0.2, False),
            ("sleep", "sleep", 0.5, True),
        ]
    },
    "chance_to_beat": _DIFFERENCES,
    "normal_normal": _DIFFERENCES,
    "beta_binomial": _BETA,
    "asymptotic_cs": {
        "early": {"difference": 0.5, "standard_error": 0.4, "n": 50.0, "planned_n": 5000.0},
        "middle": {"difference": -0.3, "standard_error": 0.05, "n": 1200.0, "planned_n": 5000.0},
        "planned": {"difference": 0.02, "standard_error": 0.01, "n": 5000.0, "planned_n": 5000.0},
        "late": {"difference": 0.02, "standard_error": 0.004, "n": 60_000.0, "planned_n": 5000.0, "alpha": 0.01},
    },
    "proportion_cs": {
        "half": {"counts": [15, 30], "planned_n": 100.0},
        "none": {"counts": [0, 20], "planned_n": 100.0},
        "rare": {"counts": [4, 400], "planned_n": 1000.0},
        "many": {"counts": [700, 1000], "planned_n": 500.0},
        "strict": {"counts": [33, 90], "planned_n": 200.0, "alpha": 0.01},
    },
    "group_sequential": {
        f"{spending}-{len(rates)}{'-uneven' if rates[0] != 1 / len(rates) else ''}": {
            "information": rates,
            "spending": spending,
            **({} if parameter is None else {"parameter": parameter}),
        }
        for spending, parameter in [
            ("obrien_fleming", None),
            ("pocock", None),
            ("kim_demets", 3.0),
            ("hwang_shih_decani", -4.0),
        ]
        for rates in ([0.5, 1.0], [0.2, 0.4, 0.6, 0.8, 1.0], [0.15, 0.5, 0.7, 1.0])
    },
    "group_sequential_size": {
        f"{spending}-{power}": {"information": rates, "spending": spending, "power": power, "parameter": parameter}
        for spending, parameter, power, rates in [
            ("obrien_fleming", 0.0, 0.8, [0.25, 0.5, 0.75, 1.0]),
            ("pocock", 0.0, 0.9, [0.3, 0.6, 1.0]),
            ("kim_demets", 2.0, 0.8, [0.2, 0.4, 0.6, 0.8, 1.0]),
        ]
    },
    "crossing_probability": {
        "null": {"information": [0.25, 0.5, 0.75, 1.0], "spending": "pocock", "effect": 0.0, "n": 400.0},
        "three": {"information": [0.3, 0.6, 1.0], "spending": "obrien_fleming", "effect": 0.2, "n": 300.0},
        "strong": {"information": [0.5, 1.0], "spending": "obrien_fleming", "effect": 0.25, "n": 200.0},
    },
    "stage_wise": {
        "second": {"spending": "obrien_fleming", "n": [100, 100], "means": [0.184, 0.2], "stages": 3},
        "pocock": {"spending": "pocock", "n": [80, 80, 80], "means": [0.15, 0.1, 0.25], "stages": 4},
        "first": {"spending": "pocock", "n": [120], "means": [0.3], "stages": 3},
    },
    "bernoulli_cs": {
        "small": {"control": [2, 60], "treatment": [17, 60], "planned_n": 120.0},
        "none": {"control": [0, 30], "treatment": [9, 35], "planned_n": 200.0},
        "equal": {"control": [20, 100], "treatment": [21, 100], "planned_n": 400.0},
        "strict": {"control": [50, 500], "treatment": [110, 480], "planned_n": 1000.0, "alpha": 0.01},
    },
    "bootstrap": {
        "skewed": {"values": _skewed(41, 60, 0.8)},
        "normal": {"values": _normal(42, 25, 5, 2)},
    },
    "mde_proportion": {
        "r": {"rate": 0.10, "units": 2000.0},
        "rare": {"rate": 0.01, "units": 30_000.0, "power": 0.9},
        "half": {"rate": 0.5, "units": 300.0},
    },
    "power_mean": {
        "r": {"difference": 1.0, "sd": 1.0, "units": 20.0},
        "small": {"difference": 0.2, "sd": 1.0, "units": 100.0},
        "strict": {"difference": 0.5, "sd": 2.0, "units": 64.0, "alpha": 0.01},
        "uneven": {"difference": 0.5, "sd": 1.0, "units": 50.0, "allocation": 2.0},
        "large": {"difference": 0.01, "sd": 1.0, "units": 150_000.0},
    },
    "sample_size_mean": {
        "cohen": {"difference": 0.5, "sd": 1.0},
        "r": {"difference": 1.0, "sd": 1.0, "power": 0.9},
        "large": {"difference": 0.02, "sd": 1.0, "power": 0.9},
        "strict": {"difference": 3.0, "sd": 10.0, "alpha": 0.01},
        "uneven": {"difference": 0.5, "sd": 1.0, "allocation": 3.0},
    },
    "mde_mean": {
        "cohen": {"sd": 1.0, "units": 64.0},
        "scaled": {"sd": 15.0, "units": 500.0, "power": 0.9},
        "uneven": {"sd": 2.0, "units": 100.0, "allocation": 0.5},
    },
    "power_proportion": {
        "r": {"rate": 0.50, "other": 0.75, "units": 50.0},
        "small": {"rate": 0.10, "other": 0.12, "units": 2000.0},
        "down": {"rate": 0.30, "other": 0.25, "units": 800.0, "alpha": 0.01},
        "uneven": {"rate": 0.10, "other": 0.15, "units": 400.0, "allocation": 2.0},
    },
    "sample_size_proportion": {
        "r": {"rate": 0.50, "other": 0.75, "power": 0.9},
        "small": {"rate": 0.10, "other": 0.12},
        "rare": {"rate": 0.010, "other": 0.011, "power": 0.9},
    },
    "sample_size_ratio": {
        "clicks": {
            "difference": 0.02,
            "moments": [2.0, 2.5, 10.0, 6.0, 0.6],
        },
        "uneven": {"difference": 0.5, "moments": [30.0, 20.0, 4.0, 2.0, 0.3], "power": 0.9, "allocation": 2.0},
    },
    "sample_size_quantile": {
        "median": {"difference": 0.1, "q": 0.5, "density": 0.4},
        "p95": {"difference": 20.0, "q": 0.95, "density": 0.0004, "power": 0.9},
        "uneven": {"difference": 20.0, "q": 0.9, "density": 0.002, "allocation": 2.0},
    },
    "quantile_difference": {
        "median": {"control": [0.0, 1.0, 400], "treatment": [5.0, 1.1, 400], "q": 0.5},
        "p95": {"control": [0.0, 1.0, 2000], "treatment": [-3.0, 1.2, 1800], "q": 0.95},
        "p10": {"control": [2.0, 0.5, 300], "treatment": [2.0, 0.8, 350], "q": 0.1, "confidence": 0.9},
    },
    "t_tail": {
        "cauchy": {"statistic": 1e8, "df": 1.0},
        "far": {"statistic": 40.0, "df": 1000.0},
        "normal": {"statistic": 37.0, "df": 1e12},
        "three": {"statistic": 1e6, "df": 3.5},
        "near": {"statistic": 1e-9, "df": 7.0},
        "thirty": {"statistic": 300.0, "df": 137.25},
    },
}

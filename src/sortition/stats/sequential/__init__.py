"""Methods that stay valid when outcomes are looked at more than once."""

from __future__ import annotations

from sortition.stats.sequential.asymptotic import asymptotic_cs
from sortition.stats.sequential.bernoulli import bernoulli_cs, proportion_cs
from sortition.stats.sequential.group import GroupSequential, group_sequential, repeated_interval
from sortition.stats.sequential.power import (
    mde_sequential,
    needed_error_group_sequential,
    needed_error_sequential,
    power_group_sequential,
    power_sequential,
    sample_size_group_sequential,
    sample_size_sequential,
)
from sortition.stats.sequential.recursion import crossing_probability
from sortition.stats.sequential.sample_ratio import SequentialSampleRatioTest, srm_sequential
from sortition.stats.sequential.sequence import ConfidenceSequence
from sortition.stats.sequential.spending import hwang_shih_decani, kim_demets, obrien_fleming, pocock
from sortition.stats.sequential.stagewise import StageWise, stage_wise
from sortition.stats.sequential.uneven import guarded_error

__all__ = [
    "ConfidenceSequence",
    "GroupSequential",
    "SequentialSampleRatioTest",
    "StageWise",
    "asymptotic_cs",
    "bernoulli_cs",
    "crossing_probability",
    "group_sequential",
    "guarded_error",
    "hwang_shih_decani",
    "kim_demets",
    "mde_sequential",
    "needed_error_group_sequential",
    "needed_error_sequential",
    "obrien_fleming",
    "pocock",
    "power_group_sequential",
    "power_sequential",
    "proportion_cs",
    "repeated_interval",
    "sample_size_group_sequential",
    "sample_size_sequential",
    "srm_sequential",
    "stage_wise",
]

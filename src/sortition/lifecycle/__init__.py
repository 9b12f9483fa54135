"""What is done to experiments and subjects, and how the hot path learns of it."""

from __future__ import annotations

from sortition.lifecycle.actor import ANONYMOUS, Actor
from sortition.lifecycle.audit import AuditLog, Note
from sortition.lifecycle.automatic import Act, Automatic, Judgement, KillSwitch, Leader, Step
from sortition.lifecycle.change import Changes
from sortition.lifecycle.decision import data_from_inputs, inputs_of, recompute
from sortition.lifecycle.endings import Ending, EndingKind
from sortition.lifecycle.experiments import Completion, Experiments
from sortition.lifecycle.full_report import FullReport
from sortition.lifecycle.keeper import SnapshotKeeper
from sortition.lifecycle.registration import Registered
from sortition.lifecycle.replay import Replay
from sortition.lifecycle.report import Report
from sortition.lifecycle.snapshot import compile_snapshot
from sortition.lifecycle.source import SnapshotDatabase
from sortition.lifecycle.subjects import Subjects
from sortition.lifecycle.summary import Gain, GainKey, Summary
from sortition.lifecycle.weights import Reweighted, Switcher

__all__ = [
    "ANONYMOUS",
    "Act",
    "Actor",
    "AuditLog",
    "Automatic",
    "Changes",
    "Completion",
    "Ending",
    "EndingKind",
    "Experiments",
    "FullReport",
    "Gain",
    "GainKey",
    "Judgement",
    "KillSwitch",
    "Leader",
    "Note",
    "Registered",
    "Replay",
    "Report",
    "Reweighted",
    "SnapshotDatabase",
    "SnapshotKeeper",
    "Step",
    "Subjects",
    "Summary",
    "Switcher",
    "compile_snapshot",
    "data_from_inputs",
    "inputs_of",
    "recompute",
]

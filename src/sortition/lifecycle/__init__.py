"""What is done to experiments and subjects, and how the hot path learns of it."""

from __future__ import annotations

from sortition.lifecycle.actor import ANONYMOUS, Actor
from sortition.lifecycle.audit import AuditLog, Note
from sortition.lifecycle.automatic import Act, Automatic, Judgement, KillSwitch, Leader, Step
from sortition.lifecycle.decision import data_from_inputs, inputs_of, recompute
from sortition.lifecycle.experiments import Completion, Experiments
from sortition.lifecycle.full_report import FullReport
from sortition.lifecycle.keeper import SnapshotKeeper, load_local
from sortition.lifecycle.replay import Replay
from sortition.lifecycle.report import Report
from sortition.lifecycle.snapshot import compile_snapshot
from sortition.lifecycle.source import SnapshotDatabase
from sortition.lifecycle.subjects import Subjects

__all__ = [
    "ANONYMOUS",
    "Act",
    "Actor",
    "AuditLog",
    "Automatic",
    "Completion",
    "Experiments",
    "FullReport",
    "Judgement",
    "KillSwitch",
    "Leader",
    "Note",
    "Replay",
    "Report",
    "SnapshotDatabase",
    "SnapshotKeeper",
    "Step",
    "Subjects",
    "compile_snapshot",
    "data_from_inputs",
    "inputs_of",
    "load_local",
    "recompute",
]

"""Tables for people, made of the messages of the contract.

Every function returns something that rich can print. Colour helps and never carries meaning alone.
"""

from __future__ import annotations

from sortition.render.analysis import analysis_table
from sortition.render.audit import audit_table
from sortition.render.automatic import automatic_view
from sortition.render.decisions import decision_table, replay_view
from sortition.render.experiments import experiment_table, experiment_view
from sortition.render.overview import change_line, finished_table, result_text, status_table, summary_view
from sortition.render.power import power_table
from sortition.render.registration import registration_view
from sortition.render.reweighting import reweighting_view
from sortition.render.series import series_view
from sortition.render.status import status_view
from sortition.render.subjects import subject_table, subject_view, version_table

__all__ = [
    "analysis_table",
    "audit_table",
    "automatic_view",
    "change_line",
    "decision_table",
    "experiment_table",
    "experiment_view",
    "finished_table",
    "power_table",
    "registration_view",
    "replay_view",
    "result_text",
    "reweighting_view",
    "series_view",
    "status_table",
    "status_view",
    "subject_table",
    "subject_view",
    "summary_view",
    "version_table",
]

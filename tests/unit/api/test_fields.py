"""Checks of what requests have in common."""

from __future__ import annotations

import pytest

from sortition.api.fields import Fields
from sortition.errors import InvalidArgument
from sortition.model import ExperimentStatus
from sortition.rpc.v1 import admin_pb2, common_pb2


def test_every_violation_comes_at_once() -> None:
    request = admin_pb2.CreateSubjectRequest(
        ref=common_pb2.SubjectRef(kind="agent"),
        actor=admin_pb2.Actor(name="n" * 129, reason="ü" * 513),
    )
    fields = Fields()
    with pytest.raises(InvalidArgument) as caught, fields:  # noqa: PT012
        fields.required("key", "")
        fields.subject(request, "ref")
        fields.page(1001)
        fields.statuses([9])
        fields.actor(request, forcing=False)
    found = {violation.field: violation.description for violation in caught.value.violations}
    assert set(found) == {"key", "ref.id", "page_size", "statuses[0]", "actor.name", "actor.reason"}
    assert "129" in found["actor.name"]
    assert "128" in found["actor.name"]
    assert "1026" in found["actor.reason"]
    assert "1024" in found["actor.reason"]
    assert "1001" in found["page_size"]
    assert "1000" in found["page_size"]


def test_limits_themselves_are_accepted() -> None:
    request = admin_pb2.CreateSubjectRequest(actor=admin_pb2.Actor(name="n" * 128, reason="ü" * 512))
    with Fields() as fields:
        actor = fields.actor(request)
        sizes = [fields.page(size) for size in (0, 1, 1000)]
    assert (len(actor.name), len(actor.reason)) == (128, 512)
    assert sizes == [50, 1, 1000]


def test_nobody_is_anonymous() -> None:
    with Fields() as fields:
        actor = fields.actor(admin_pb2.CreateSubjectRequest())
    assert actor.name == "anonymous"


def test_forcing_needs_a_reason() -> None:
    with pytest.raises(InvalidArgument, match=r"actor\.reason"), Fields() as fields:
        fields.actor(admin_pb2.CreateSubjectRequest(), forcing=True)


def test_zero_in_a_filter_of_statuses_means_any() -> None:
    with Fields() as fields:
        assert fields.statuses([]) == ()
        assert fields.statuses([2, 3]) == (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)
        assert set(fields.statuses([2, 0])) == set(ExperimentStatus)


def test_a_configuration_is_checked_and_made_plain() -> None:
    request = admin_pb2.CreateSubjectRequest()
    request.config.update({"n": 2})
    with Fields() as fields:
        config = fields.config(request)
    assert config == {"n": 2}
    assert type(config["n"]) is int
    request.config.update({"n": float("nan")})
    with pytest.raises(InvalidArgument, match=r"config: nan"), Fields() as fields:
        fields.config(request)


def test_another_error_in_the_block_is_not_replaced() -> None:
    with pytest.raises(KeyError), Fields() as fields:  # noqa: PT012
        fields.refuse("a", "is wrong")
        raise KeyError("first")

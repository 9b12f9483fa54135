"""Webhooks: signed for one receiver, never for another, and over in time."""

from __future__ import annotations

import base64
import random
import socket
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from receivers import KEY, receiving, secret_file
from sortition.errors import SettingsError, Unavailable
from sortition.lifecycle.alerts.retries import MAX_AGE, MAX_ATTEMPTS, gives_up, next_attempt
from sortition.lifecycle.alerts.secret import read_secret
from sortition.lifecycle.alerts.webhook import Webhook

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


def test_a_message_is_signed_with_its_id_and_time() -> None:
    with receiving() as receiver:
        Webhook(receiver.url, KEY).send(
            "alert_1_opened", {"type": "alert.opened", "data": {"reason": "−5 %"}}, 1700000000
        )
        (one,) = receiver.attempts
    assert one.signed
    assert one.headers["webhook-timestamp"] == "1700000000"
    assert one.headers["content-type"] == "application/json"
    assert one.message["data"]["reason"] == "−5 %"


@pytest.mark.parametrize("status", [200, 204, 299])
def test_2xx_is_taken(status: int) -> None:
    with receiving(lambda _: status) as receiver:
        Webhook(receiver.url, KEY).send("a", {}, 0)
        assert [one.id for one in receiver.taken] == ["a"]


@pytest.mark.parametrize("status", [300, 400, 410, 429, 500, 503])
def test_everything_else_is_not(status: int) -> None:
    with receiving(lambda _: status) as receiver, pytest.raises(Unavailable, match=f"status {status}"):
        Webhook(receiver.url, KEY).send("a", {}, 0)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiving() as other, receiving(lambda _: status) as receiver:
        receiver.location = other.url
        with pytest.raises(Unavailable, match=f"status {status}"):
            Webhook(receiver.url, KEY).send("a", {}, 0)
        assert not other.attempts


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/secret-path"
    with pytest.raises(Unavailable, match="not reached") as refused:
        Webhook(url, KEY).send("a", {}, 0)
    assert "secret-path" not in refused.value.message


@pytest.mark.parametrize("drip", [b"", b"H"], ids=["says nothing", "says a little at a time"])
def test_a_receiver_that_is_never_done_is_cut_off(drip: bytes) -> None:
    over = threading.Event()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)

        def hang() -> None:
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.05):
                    try:
                        connection.sendall(drip)
                    except OSError:
                        return

        thread = threading.Thread(target=hang)
        thread.start()
        try:
            with pytest.raises(Unavailable, match=r"0\.4 s"):
                Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", KEY, timeout_s=0.4).send("a", {}, 0)
        finally:
            over.set()
            thread.join()


def test_pauses_double_up_to_a_quarter_of_an_hour_and_are_drawn() -> None:
    chance = random.Random(1)
    for attempts, longest in [(1, 1), (2, 2), (5, 16), (11, 900), (20, 900), (10_000, 900)]:
        drawn = {(next_attempt(attempts, NOW, chance) - NOW).total_seconds() for _ in range(50)}
        assert longest / 2 <= min(drawn) <= max(drawn) <= longest
        assert len(drawn) > 10


def test_attempts_and_age_are_bounded() -> None:
    assert not gives_up(MAX_ATTEMPTS - 1, NOW, NOW)
    assert gives_up(MAX_ATTEMPTS, NOW, NOW)
    assert not gives_up(1, NOW, NOW + MAX_AGE - timedelta(seconds=1))
    assert gives_up(1, NOW, NOW + MAX_AGE)


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    assert read_secret(secret_file(tmp_path)) == KEY


@pytest.mark.parametrize(
    "content", ["", "topsecret", "whsec_", "whsec_***", f"whsec_{base64.b64encode(b'short').decode()}", "whsec_ä"]
)
def test_what_is_no_secret_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    with pytest.raises(SettingsError) as refused:
        read_secret(path)
    assert refused.value.violations[0].field == "alert_webhook_secret_file"
    assert not content or content not in refused.value.message


def test_a_secret_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_secret(tmp_path / "none")

"""Tokens and the file of their hashes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sortition.api import tokens as module
from sortition.api.keyring import Keyring
from sortition.api.roles import Role
from sortition.api.tokens import create_token, read_tokens, revoke_token
from sortition.errors import AlreadyExists, InvalidArgument, NotFound, ResourceExhausted, SettingsError

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens"


def test_what_is_kept_recognizes_the_token_and_cannot_be_turned_into_it(path: Path) -> None:
    token, text = create_token(path, "ada", Role.ADMIN, now=NOW, expires_at=NOW + timedelta(days=1))
    assert read_tokens(path) == (token,)
    assert token.matches(text)
    assert not token.matches(text[:-1])
    assert not token.matches("")
    assert not token.matches("ü\udc80")
    content = path.read_text()
    secret = text.split("_")[2]
    assert secret not in content
    assert hashlib.sha256(text.encode()).hexdigest() in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_secrets_have_more_than_128_bits_and_differ(path: Path) -> None:
    texts = [create_token(path, f"t{number}", Role.AGENT)[1] for number in range(20)]
    for text in texts:
        assert len(base64.urlsafe_b64decode(text.split("_", 2)[2] + "=")) == 32
    assert len({text.split("_", 2)[2] for text in texts}) == len(texts)
    # No character is always the same one, as it would be if only a part were random.
    secrets = [text.split("_", 2)[2] for text in texts]
    assert all(len({secret[place] for secret in secrets}) > 1 for place in range(43))


def test_a_revoked_token_is_gone_and_its_name_is_free(path: Path) -> None:
    create_token(path, "ada", Role.AGENT)
    with pytest.raises(AlreadyExists, match="ada"):
        create_token(path, "ada", Role.ADMIN)
    assert revoke_token(path, "ada").name == "ada"
    assert read_tokens(path) == ()
    with pytest.raises(NotFound, match="ada"):
        revoke_token(path, "ada")
    create_token(path, "ada", Role.ADMIN)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ü", "x" * 65, "a\n"])
def test_names_are_words(path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="name"):
        create_token(path, name, Role.AGENT)
    assert not path.exists()


def test_a_token_is_not_made_expired(path: Path) -> None:
    with pytest.raises(InvalidArgument, match="expires"):
        create_token(path, "ada", Role.AGENT, now=NOW, expires_at=NOW)


def test_the_file_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOKENS", 2)
    create_token(path, "a", Role.AGENT)
    create_token(path, "b", Role.AGENT)
    with pytest.raises(ResourceExhausted, match=r"tokens: .* holds 2"):
        create_token(path, "c", Role.AGENT)
    monkeypatch.setattr(module, "MAX_TOKENS", 1)
    with pytest.raises(SettingsError, match="limit is 1"):
        read_tokens(path)


def test_changes_at_the_same_time_are_all_there(path: Path) -> None:
    path.parent.mkdir()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: create_token(path, f"t{number}", Role.AGENT), range(40)))
    assert {token.name for token in read_tokens(path)} == {f"t{number}" for number in range(40)}
    assert os.listdir(path.parent) == ["tokens"], "nothing is left behind"


def _edited(change: Callable[[Any], object]) -> Callable[[str], str]:
    def edit(content: str) -> str:
        document = json.loads(content)
        change(document)
        return json.dumps(document)

    return edit


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: '{"tokens": [1]}',
        lambda _: '{"tokens": 1}',
        lambda _: "[" * 100_000,
        _edited(lambda document: document["tokens"][0].update(role="root")),
        _edited(lambda document: document["tokens"][0].update(sha256="00")),
        _edited(lambda document: document["tokens"][0].update(expires_at="2026-01-01T00:00:00")),
        _edited(lambda document: document["tokens"][0].update(expires_at="never")),
        _edited(lambda document: document["tokens"][0].update(more=1)),
        _edited(lambda document: document["tokens"][0].pop("expires_at")),
        _edited(lambda document: document["tokens"].append(document["tokens"][0])),
        lambda content: content + " " * (1 << 20),
    ],
)
def test_a_damaged_file_is_refused_whole(path: Path, damage: Callable[[str], str]) -> None:
    create_token(path, "ada", Role.AGENT)
    create_token(path, "eve", Role.AGENT)
    path.write_text(damage(path.read_text()))
    with pytest.raises(SettingsError, match=r"tokens_file: .* is damaged"):
        read_tokens(path)
    with pytest.raises(SettingsError, match="is damaged"):
        create_token(path, "bob", Role.AGENT)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(path: Path, mode: int) -> None:
    create_token(path, "ada", Role.AGENT)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_tokens(path)


def test_a_file_of_somebody_else_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_token(path, "ada", Role.AGENT)
    owner = path.stat().st_uid
    if owner == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        read_tokens(path)


def test_a_missing_file_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(SettingsError, match="token create"):
        read_tokens(path)


def test_a_keyring_finds_what_is_in_the_file_and_nothing_else(path: Path) -> None:
    token, text = create_token(path, "ada", Role.AGENT)
    other, second = create_token(path, "bob", Role.AGENT)
    keyring = Keyring(path)
    assert keyring.find(f"Bearer {text}") == token
    mixed = second[:26] + text[26:]
    for header in ("", text, f"bearer{text}", f"Basic {text}", f"Bearer  {text}", f"Bearer {text}x", f"Bearer {mixed}"):
        assert keyring.find(header) is None, header
    assert keyring.holds(other)
    revoke_token(path, "bob")
    assert keyring.holds(other), "the file has not been looked at since"
    came, went = keyring.refresh()
    assert ([], [other]) == (came, went)
    assert not keyring.holds(other)
    assert keyring.find(f"Bearer {second}") is None
    assert keyring.find(f"Bearer {text}") == token


def test_a_file_that_is_lost_or_damaged_lets_nobody_in_until_it_is_back(path: Path) -> None:
    token, text = create_token(path, "ada", Role.AGENT)
    content = path.read_bytes()
    keyring = Keyring(path)
    path.unlink()
    keyring.refresh()
    assert keyring.find(f"Bearer {text}") is None
    path.write_bytes(content[:-20])
    keyring.refresh()
    assert keyring.find(f"Bearer {text}") is None
    path.unlink()
    path.touch(mode=0o600)
    path.write_bytes(content)
    keyring.refresh()
    assert keyring.find(f"Bearer {text}") == token

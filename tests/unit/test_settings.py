"""Settings: flags over environment over file over defaults, and errors that say where they come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sortition import locations
from sortition.errors import SettingsError
from sortition.settings import Settings, load


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hides the settings of whoever runs the tests."""
    for name in os.environ:
        if name.upper().startswith("SORTITION_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sortition.toml"
    path.write_text('listen = "127.0.0.1:1"\nworkers = 2\nflush_interval_s = 7\n')
    return path


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load()
    assert settings.state_dir == locations.state_dir()
    assert settings.listen == locations.DEFAULT_TARGET
    assert (settings.database_url, settings.writer) == (None, None)
    assert (settings.flush_interval_s, settings.snapshot_interval_s, settings.database_timeout_s) == (5, 0.5, 10)
    assert (settings.workers, settings.max_streams, settings.drain_s, settings.log_level) == (4, 32, 10, "info")


def test_each_source_is_stronger_than_the_next(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(config=file).workers == 2
    monkeypatch.setenv("SORTITION_WORKERS", "3")
    monkeypatch.setenv("SORTITION_LISTEN", "127.0.0.1:2")
    assert load(config=file).workers == 3
    settings = load({"workers": 5, "listen": None}, config=file)
    assert settings.workers == 5
    assert settings.listen == "127.0.0.1:2", "a flag that was not given says nothing"
    assert settings.flush_interval_s == 7
    assert settings.max_streams == 32


def test_the_file_is_found_by_the_environment_and_the_flag_is_stronger(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORTITION_CONFIG", str(file))
    assert load().workers == 2
    other = tmp_path / "other.toml"
    other.write_text("workers = 9\n")
    assert load(config=other).workers == 9


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORTITION_WORKERS", "")
    monkeypatch.setenv("SORTITION_STATE_DIR", "")
    assert load().workers == 4
    assert load().state_dir == locations.state_dir()


def test_the_state_directory_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load({"state_dir": "~/s"}).state_dir == tmp_path / "s"
    monkeypatch.chdir(tmp_path)
    assert load({"state_dir": "s"}).state_dir == tmp_path / "s"


def test_a_wrong_value_names_the_setting_the_value_and_the_source(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workers = 0\nnope = 1\n")
    monkeypatch.setenv("SORTITION_DRAIN_S", "soon")
    with pytest.raises(SettingsError) as caught:
        load({"listen": "0.0.0.0:1"}, config=file)
    found = {violation.field: violation.description for violation in caught.value.violations}
    assert set(found) == {"workers", "nope", "drain_s", "listen"}, "all of them at once"
    assert "'0'" in found["workers"]
    assert str(file) in found["workers"]
    assert "not a setting" in found["nope"]
    assert "flush_interval_s" in found["nope"]
    assert str(file) in found["nope"]
    assert "'soon'" in found["drain_s"]
    assert "SORTITION_DRAIN_S" in found["drain_s"]
    assert "0.0.0.0:1" in found["listen"]
    assert "--listen" in found["listen"]
    assert all(description in caught.value.message for description in found.values())


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        ({"workers": 65}, "workers"),
        ({"max_streams": 0}, "max_streams"),
        ({"drain_s": -1}, "drain_s"),
        ({"flush_interval_s": 0}, "flush_interval_s"),
        ({"flush_interval_s": float("nan")}, "flush_interval_s"),
        ({"snapshot_interval_s": 2}, "snapshot_interval_s"),
        ({"database_timeout_s": 0}, "database_timeout_s"),
        ({"writer": "with space"}, "writer"),
        ({"writer": "x" * 129}, "writer"),
        ({"log_level": "loud"}, "log_level"),
        ({"listen": "example.org:1"}, "listen"),
        ({"database_url": "mysql://x"}, "database_url"),
        ({"listen": "0.0.0.0:1"}, "listen"),
        ({"tls_certificate": "c.pem"}, "tls_key"),
        ({"tls_key": "k.pem"}, "tls_key"),
        ({"tls_client_ca": "ca.pem"}, "tls_client_ca"),
        ({"listen": "0.0.0.0:1", "tls_certificate": "c.pem", "tls_key": "k.pem"}, "listen"),
        ({"listen": "0.0.0.0:1", "tokens_file": "t"}, "listen"),
    ],
)
def test_what_is_out_of_bounds_is_refused(flags: dict[str, object], field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(flags)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_a_file_that_is_not_there_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        load(config=tmp_path / "missing.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("listen = \n")
    with pytest.raises(SettingsError, match=r"bad\.toml is not valid TOML.*line 1"):
        load(config=bad)
    bad.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load(config=bad)


SECRET = "hunter2"


def test_passwords_are_not_taken_from_the_command_line_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://me:{SECRET}@db/sortition"
    with pytest.raises(SettingsError, match="password") as caught:
        load({"database_url": url})
    assert SECRET not in caught.value.message
    monkeypatch.setenv("SORTITION_DATABASE_URL", url)
    settings = load()
    assert settings.database_url == url
    assert SECRET not in repr(settings)
    monkeypatch.setenv("SORTITION_DATABASE_URL", f"mysql://me:{SECRET}@db")
    with pytest.raises(SettingsError) as caught:
        load()
    assert SECRET not in caught.value.message


def test_other_machines_are_served_with_tls_and_tokens_only(tmp_path: Path) -> None:
    secure = {"tls_certificate": "c.pem", "tls_key": "k.pem", "listen": "0.0.0.0:1"}
    settings = load({**secure, "tokens_file": "t"})
    assert settings.tokens == Path("t").absolute()
    assert settings.tls_certificate == Path("c.pem").absolute()
    # The file in the state directory serves as well; whether it is any good is seen at the start.
    (tmp_path / "tokens").touch()
    assert load({**secure, "state_dir": tmp_path}).tokens == tmp_path / "tokens"


def test_tokens_are_in_use_where_there_is_a_file_of_them(tmp_path: Path) -> None:
    assert load({"state_dir": tmp_path}).tokens is None
    # A link to a file that is gone is no reason to let everybody in.
    (tmp_path / "tokens").symlink_to(tmp_path / "gone")
    assert load({"state_dir": tmp_path}).tokens == tmp_path / "tokens"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().workers = 3


def test_the_documentation_names_every_setting() -> None:
    import sortition.settings as module

    assert module.__doc__ is not None
    for name in Settings.model_fields:
        assert f"{name} " in module.__doc__
        assert f"SORTITION_{name.upper()} " in module.__doc__


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://alerts.example.com", "must be http"),
        ("https:///nobody", "must be http"),
        ("https://ann:pass@alerts.example.com", "user or password"),
        ("https://alerts.example.com/a b", "must be http"),
        ("https://alerts.example.com:99999", "must be http"),
    ],
)
def test_a_webhook_is_http_and_holds_no_password(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load({"alert_webhook": url, "alert_webhook_secret_file": tmp_path / "secret"})
    (found,) = refused.value.violations
    assert found.field == "alert_webhook"
    assert why in found.description
    assert url not in str(refused.value)


def test_a_webhook_needs_a_secret_to_sign_with(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs alert_webhook_secret_file"):
        load({"alert_webhook": "https://alerts.example.com/x"})
    found = load({"alert_webhook": "https://alerts.example.com/x", "alert_webhook_secret_file": tmp_path / "secret"})
    assert "alerts.example.com" not in repr(found)

"""The secret that webhooks are signed with."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

from sortition.errors import SettingsError

__all__ = ["read_secret"]

_PREFIX: Final = "whsec_"
_LEAST, _MOST = 24, 64
_MAX_FILE: Final = 4096


def read_secret(path: Path) -> bytes:
    """Returns the secret in a file: ``whsec_`` and 24 to 64 bytes in base64, in one line.

    Raises:
        SettingsError: It cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE)
    except OSError as error:
        raise _refused(f"{path} cannot be read ({error.strerror}); name a file that this user may read") from error
    try:
        text = content.decode("ascii").strip()
        if not text.startswith(_PREFIX):
            raise ValueError(_PREFIX)
        secret = base64.b64decode(text[len(_PREFIX) :], validate=True)
    except (ValueError, binascii.Error):
        # What is in it is not shown, whatever it is.
        raise _refused(
            f'{path} holds no secret; make one with: echo "whsec_$(head -c 32 /dev/urandom | base64)"'
        ) from None
    if not _LEAST <= len(secret) <= _MOST:
        raise _refused(f"{path} holds a secret of {len(secret)} bytes; it has to be {_LEAST} to {_MOST}")
    return secret


def _refused(text: str) -> SettingsError:
    return SettingsError(f"alert_webhook_secret_file: {text}", [("alert_webhook_secret_file", text)])

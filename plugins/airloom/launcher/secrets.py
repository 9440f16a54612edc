"""The secrets of one installation: made once, kept in files that only their owner can read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from airloom.core.errors import SetupError

USER = "admin"
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class Secrets:
    """The files with the secrets of one installation.

    Args:
        folder: Where they are.
    """

    folder: Path

    @property
    def jwt(self) -> Path:
        """Signs the tokens of people and of tasks."""
        return self.folder / "jwt"

    @property
    def session(self) -> Path:
        """Signs what Airflow's servers say to each other about logs."""
        return self.folder / "session"

    @property
    def fernet(self) -> Path:
        """Encrypts connections and variables in Airflow's database."""
        return self.folder / "fernet"

    @property
    def passwords(self) -> Path:
        """The login of each user, in the form that Airflow's simple auth manager reads."""
        return self.folder / "passwords.json"

    def create(self) -> bool:
        """Make the secrets that are missing and close the folder to everybody else.

        Returns:
            Whether a new password was made.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        self.folder.chmod(_PRIVATE_FOLDER)
        _create(self.jwt, secrets.token_urlsafe(48))
        _create(self.session, secrets.token_urlsafe(48))
        _create(self.fernet, base64.urlsafe_b64encode(os.urandom(32)).decode())
        password = os.environ.get("AIRLOOM_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        return _create(self.passwords, json.dumps({USER: password}))

    def password(self) -> str:
        """Return the password of the one user.

        Raises:
            SetupError: This installation was never started.
        """
        try:
            return str(json.loads(self.passwords.read_text(encoding="utf-8"))[USER])
        except (OSError, ValueError, KeyError):
            do = "airloom up; on servers: airloom upgrade"
            raise SetupError("There is no login yet.", where=str(self.passwords), do=do) from None


def _create(file: Path, content: str) -> bool:
    """Write a file whole and private, unless it is there already."""
    if file.exists():
        file.chmod(_PRIVATE_FILE)
        return False
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
    draft.replace(file)
    return True

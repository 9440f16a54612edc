"""Whether secrets are there, hard to guess, and readable by their owner only. What they are is never said."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airloom.launcher.doctor.findings import Finding, ok, warning, wrong
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.environment import secrets_of
from airloom.launcher.secrets import Secrets

_SHORTEST = 12
_DEFAULTS = {
    *("admin", "airflow", "airloom", "change-me", "changeit", "changeme", "default", "minio", "minioadmin", "mlflow"),
    *("password", "postgres", "postgresql", "redis", "secret"),
}
_PASSWORDS = ("AIRLOOM_ADMIN_PASSWORD", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD")
#: Servers that nobody should get into without a password; a certificate or a role may stand for one.
_SERVERS = ("postgres", "redis", "amqp", "mysql")
#: Also a key of Fernet, which has this form.
_OWN = "give each its own: openssl rand -base64 32 | tr '+/' '-_'"
_OTHER = "choose another one, at least 12 characters that nobody can guess: openssl rand -hex 24"


def secrets(subject: Subject) -> Iterator[Finding]:
    """Look at every password of the environment and at every secret of the installation."""
    kept = secrets_of(subject.settings)
    found = [*_passwords(subject.variables), *_login(kept), *_keys(subject.variables, kept), *_open(kept.folder)]
    if found:
        yield from found
    elif kept.folder.is_dir():
        yield ok("secrets", f"there, long enough, all different, readable by their owner only: {kept.folder}")
    else:
        yield ok("secrets", f"no weak one in the environment; {subject.repair} makes those of the installation")


def weakness(password: str, user: str = "") -> str:
    """Return why a password is easily guessed, empty when it is not."""
    if not password:
        return "is empty"
    if password.lower() in _DEFAULTS or password == user:
        return "is one that everybody tries first"
    return f"is shorter than {_SHORTEST} characters" if len(password) < _SHORTEST else ""


def _passwords(variables: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(variables):
        if name in _PASSWORDS and (why := weakness(variables[name])):
            yield wrong("secrets", f"{name} {why}", _OTHER)
        elif "://" in variables[name]:
            yield from _of_url(name, variables[name])


def _of_url(name: str, url: str) -> Iterator[Finding]:
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), parts.password
    except ValueError:
        return
    if password is not None and (why := weakness(unquote(password), user)):
        yield wrong("secrets", f"the password in {name} {why}", _OTHER)
    elif password is None and parts.hostname and any(server in parts.scheme for server in _SERVERS):
        yield warning("secrets", f"{name} holds no password", "see that its server lets nobody in without one")


def _login(kept: Secrets) -> Iterator[Finding]:
    if not kept.passwords.is_file():
        return
    for user, password in json.loads(kept.passwords.read_text(encoding="utf-8")).items():
        if why := weakness(str(password), user):
            yield wrong("secrets", f"the password of {user} in {kept.passwords} {why}", "put another one there")


def _keys(variables: Mapping[str, str], kept: Secrets) -> Iterator[Finding]:
    """Look at what Airflow signs and encrypts with: given by the environment, or in a file."""
    files = {
        "AIRFLOW__API_AUTH__JWT_SECRET": kept.jwt,
        "AIRFLOW__API__SECRET_KEY": kept.session,
        "AIRFLOW__CORE__FERNET_KEY": kept.fernet,
    }
    given = {name: variables[name] for name in files if name in variables}
    if not given and not kept.folder.is_dir():
        return
    keys = {name: given[name] if name in given else _text(file) for name, file in files.items()}
    for name, key in keys.items():
        if why := weakness(key):
            said = why if name in given else f"is not set, and {files[name]} is missing or {why.removeprefix('is ')}"
            yield wrong("secrets", f"{name} {said}", "set it, or run: airloom up (on servers: airloom upgrade)")
    if same := [name for name, key in keys.items() if key and list(keys.values()).count(key) > 1]:
        yield wrong("secrets", f"these are the same: {', '.join(same)}", _OWN)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def _open(folder: Path) -> Iterator[Finding]:
    """Find what others may read."""
    for path in [folder, *sorted(folder.glob("*"))] if folder.is_dir() else []:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            closed = "700" if path.is_dir() else "600"
            yield wrong("secrets", f"others may read {path} (mode {mode:o})", f"chmod {closed} {path}")

"""Credentials for one origin, from the system keyring or the environment; never in a file, a log, a URL or a message."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from neuraxis.errors import UsageError
from neuraxis.interop.archive.failures import MissingCredentialError
from neuraxis.interop.archive.origin import Origin, parse_address

ENVIRONMENT = {
    "origin": "NEURAXIS_ARCHIVE_ORIGIN", "user": "NEURAXIS_ARCHIVE_USER",
    "password": "NEURAXIS_ARCHIVE_PASSWORD", "token": "NEURAXIS_ARCHIVE_TOKEN",
}
_ENTRY = "neuraxis"
"""Name of the entry in the keyring: one per origin, whatever user it holds (not every keyring can search by service)."""


@dataclass(frozen=True)
class Credentials:
    """A user's name and password, or a bearer token, for one origin; no text form shows them."""

    origin: Origin
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if ":" in self.user or any(ord(c) < 32 for c in self.user + self.password + self.token):
            raise UsageError(
                "the credentials hold a character that cannot be sent",
                expected="a user name without colon, no control characters",
            )

    def authorization(self, origin: Origin) -> str | None:
        """Value of the Authorization header for a request to `origin`; None for any origin but its own."""
        if origin != self.origin:
            return None
        if self.token:
            return f"Bearer {self.token}"
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


def find_credentials(origin: Origin, environment: Mapping[str, str] | None = None) -> Credentials | None:
    """Credentials for an origin: those of the environment if they are for it, else the keyring's, else None.

    Raises
    ------
    MissingCredentialError
        Where the environment holds credentials without saying for which origin, or the keyring's entry is damaged.
    """
    return _from_environment(origin, os.environ if environment is None else environment) or _from_keyring(origin)


def _from_environment(origin: Origin, environment: Mapping[str, str]) -> Credentials | None:
    user, password, token = (environment.get(ENVIRONMENT[k], "") for k in ("user", "password", "token"))
    if not (user or password or token):
        return None
    named = environment.get(ENVIRONMENT["origin"], "")
    if not named:
        raise MissingCredentialError(
            "the environment holds credentials but does not say which archive they are for",
            expected=f"{ENVIRONMENT['origin']} with the archive's scheme, host and port",
            remedy=f"set {ENVIRONMENT['origin']}={origin} if they are for this archive",
        )
    if parse_address(named).origin != origin:
        return None
    return Credentials(origin, user, password, token)


def _service(origin: Origin) -> str:
    return f"neuraxis {origin}"


def _from_keyring(origin: Origin) -> Credentials | None:
    if find_spec("keyring") is None:
        return None
    import keyring
    from keyring.errors import KeyringError

    try:
        kept = keyring.get_password(_service(origin), _ENTRY)
    except KeyringError:  # no keyring on this machine, or it stays locked: then there are no credentials in it
        return None
    if kept is None:
        return None
    try:
        data = json.loads(kept)
        return Credentials(origin, str(data["user"]), str(data["password"]), str(data["token"]))
    except (ValueError, TypeError, KeyError):
        # the cause is not chained: it would quote the entry
        raise MissingCredentialError(
            f"the keyring's entry for {origin} cannot be read", remedy="write it again with `neuraxis archive login`"
        ) from None


def keep_credentials(credentials: Credentials) -> None:
    """Write credentials to the system keyring.

    Raises
    ------
    MissingCredentialError
        Where this machine has no keyring, or it refuses.
    """
    secret = json.dumps({"user": credentials.user, "password": credentials.password, "token": credentials.token})
    _require_keyring()
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_service(credentials.origin), _ENTRY, secret)
    except KeyringError:
        raise _no_keyring() from None


def forget_credentials(origin: Origin) -> bool:
    """Take the credentials for an origin out of the keyring; False where none were there."""
    _require_keyring()
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        keyring.delete_password(_service(origin), _ENTRY)
    except PasswordDeleteError:
        return False
    except KeyringError:
        raise _no_keyring() from None
    return True


def _require_keyring() -> None:
    if find_spec("keyring") is None:
        raise MissingCredentialError(
            "the keyring package is not installed", expected="the archive extra",
            remedy='pip install "neuraxis[archive]"',
        )


def _no_keyring() -> MissingCredentialError:
    return MissingCredentialError(
        "the system keyring cannot be used here", expected="a keyring that is unlocked (Keychain, Credential Manager, "
        "Secret Service)", remedy=f"give {', '.join(ENVIRONMENT.values())} in the environment instead",
    )

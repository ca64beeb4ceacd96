"""What can go wrong with an archive, told without a credential and without anything the other side wrote."""

from __future__ import annotations

from neuraxis.errors import NeuraxisError


class ArchiveError(NeuraxisError):
    """The archive could not be reached, refused, or answered with something that cannot be used."""


class NotThereError(ArchiveError):
    """The archive does not hold what was asked for."""


class SignInError(ArchiveError):
    """The archive wants other credentials, or some."""


class NotTrustedError(ArchiveError):
    """The other side could not prove to be the archive."""


class MissingCredentialError(ArchiveError):
    """Credentials are there but cannot be used as they are kept."""

"""Where an archive is: scheme, host, port and path of a DICOMweb service; what may be sent where."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from neuraxis.errors import UsageError
from neuraxis.interop.archive.failures import ArchiveError

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: the only place that credentials for it are sent to (RFC 6454)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def is_loopback(self) -> bool:
        """Whether nothing sent there leaves this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True)
class ServiceAddress:
    """A DICOMweb service: origin and path without a slash at its end."""

    origin: Origin
    path: str

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def parse_address(url: str) -> ServiceAddress:
    """Address of a DICOMweb service.

    Raises
    ------
    UsageError
        For what is no such address; for one that holds a user name or password; for unencrypted HTTP to another machine.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise UsageError(
            "that is no address of a DICOMweb service", expected="such as https://archive.example/dicom-web"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        # the text is not repeated: it may hold a password
        raise UsageError(
            "the address holds more than host, port and path (a user name, password, query or fragment)",
            expected="credentials in the system keyring or the environment only",
            remedy="use `neuraxis archive login`, or the variables that `neuraxis archive --help` names",
        )
    origin = _origin(parts)
    if origin.scheme == "http" and not origin.is_loopback:
        raise UsageError(
            f"{origin} is not encrypted", expected="https, or http to this machine",
            remedy="ask for the archive's https address, or reach it through an SSH tunnel to localhost",
        )
    return ServiceAddress(origin, parts.path.rstrip("/"))


def same_origin_target(base: ServiceAddress, target: str, location: str) -> str:
    """Path and query that a redirect from `target` to `location` leads to, on the same origin.

    Raises
    ------
    ArchiveError
        Where it leads to another origin: nothing is sent there.
    """
    parts = _split(urljoin(f"{base.origin}{target}", location))
    origin = None if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname else _origin(parts)
    if parts is None or origin != base.origin:
        raise ArchiveError(
            f"{base.origin} sends on to another place ({origin or 'no web address'}), where nothing was sent",
            expected="answers from the configured archive itself",
            remedy="check the archive's address; if it has moved, configure the new one",
        )
    return parts.path + (f"?{parts.query}" if parts.query else "")


def foreign_origin(base: ServiceAddress, uri: str) -> Origin | None:
    """Origin of an absolute URI that is not the service's own, else None."""
    parts = _split(urljoin(f"{base}/", uri))
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    found = _origin(parts)
    return None if found == base.origin else found


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port, parts.hostname  # both are parsed when asked for, and refuse nonsense
    except ValueError:
        return None
    return parts


def _origin(parts: SplitResult) -> Origin:
    scheme = parts.scheme.lower()
    return Origin(scheme, (parts.hostname or "").lower().rstrip("."), parts.port or _DEFAULT_PORTS[scheme])

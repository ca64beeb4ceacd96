"""HTTP to one origin and nowhere else: verified TLS, no redirect elsewhere, no proxy, no cookie, bounded answers.

dicomweb-client was tried first. It takes an answer that breaks off inside a part for a whole one (3,858 of 8,192 bytes
of pixel data, no error), parses and encodes instances anew so that they are not the bytes that the archive holds, keeps
whole answers in memory without a limit, and follows redirects and BulkDataURIs to other hosts. The standard library's
connection object speaks to one host only, which is the property that matters here.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from urllib.parse import quote, urlencode

from neuraxis.errors import UsageError
from neuraxis.interop.archive.credentials import Credentials
from neuraxis.interop.archive.failures import ArchiveError, NotThereError, NotTrustedError, SignInError
from neuraxis.interop.archive.origin import ServiceAddress, same_origin_target
from neuraxis.interop.archive.watch import Limits, Watch, never
from neuraxis.interop.identity import software_version

BLOCK_BYTES = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 3


class Answer:
    """Head of an answer, and its body in blocks."""

    def __init__(self, who: str, response: http.client.HTTPResponse, watch: Watch) -> None:
        self.who, self.status = who, response.status
        head = Message()
        head["Content-Type"] = response.getheader("Content-Type") or "application/octet-stream"
        self.media_type = head.get_content_type()
        self.parameters: Mapping[str, str] = {k.lower(): v for k, v in head.get_params([])[1:]}
        encoding = (response.getheader("Content-Encoding") or "identity").lower()
        if encoding != "identity":
            raise ArchiveError(
                f"{who} sent a compressed answer ({encoding[:20]}), which could unpack to any size",
                expected="the answer as it is (Accept-Encoding: identity was asked for)",
                remedy="switch the compression of DICOM answers off in the archive or the proxy before it",
            )
        self._response, self._watch = response, watch

    def blocks(self, limit_bytes: int) -> Iterator[bytes]:
        """The body as it comes.

        Raises
        ------
        ArchiveError
            When it breaks off, stalls, or is longer than the limit.
        """
        total = 0
        while True:
            try:
                with self._watch.waiting():
                    block = self._response.read1(BLOCK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise self._broken_off(total) from error
            if not block:
                break
            total += len(block)
            self._watch.got(len(block))
            if total > limit_bytes:
                raise ArchiveError(
                    f"{self.who} sends more than {limit_bytes:,} bytes in one answer", expected="a smaller answer",
                    remedy="ask for less at once (narrow the search, or pull one series)",
                )
            yield block
        if self._response.length:  # what Content-Length promised and did not come
            raise self._broken_off(total)
        self._response.read()  # nothing is left; tells the connection that it is free again

    def content(self, limit_bytes: int) -> bytes:
        """The whole body."""
        return b"".join(self.blocks(limit_bytes))

    def _broken_off(self, total: int) -> ArchiveError:
        return ArchiveError(
            f"the answer of {self.who} breaks off after {total:,} bytes", expected="the whole answer",
            remedy="try again; what was complete is kept",
        )


class WebTransport:
    """Requests to one DICOMweb service.

    Parameters
    ----------
    address : of the service
    credentials : sent to their own origin only
    ca_file : certificates (PEM) of those who may vouch for the archive, in place of the system's
    should_stop : asked often, from another thread
    """

    def __init__(
        self, address: ServiceAddress, credentials: Credentials | None = None, *, ca_file: Path | None = None,
        limits: Limits | None = None, should_stop: Callable[[], bool] = never,
    ) -> None:
        self.address, self.limits = address, limits or Limits()
        self._credentials, self._should_stop = credentials, should_stop
        self._tls = tls_context(ca_file) if address.origin.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None

    @property
    def who(self) -> str:
        """The archive in a message."""
        return str(self.address.origin)

    def close(self) -> None:
        """Hang up."""
        for part in (self._response, self._connection):  # an answer that was not read holds on to the socket
            if part is not None:
                part.close()
        self._connection = self._response = None

    @contextmanager
    def get(self, path: str, accept: str, query: Sequence[tuple[str, str]] = ()) -> Iterator[Answer]:
        """GET below the service's path; redirects on the same origin are followed, a lost connection is made anew once.

        Raises
        ------
        ArchiveError
            `SignInError` for 401 and 403, `NotThereError` for 404, else for every status that is no success.
        """
        target = f"{self.address.path}{path}" + (f"?{_encoded(query)}" if query else "")
        with Watch(self.who, self.limits, self._should_stop) as watch, self._hung_up_unless_read():
            for _ in range(_MAX_REDIRECTS + 1):
                response = self._exchange(watch, "GET", target, {"Accept": accept})
                if response.status not in _REDIRECTS:
                    break
                target = same_origin_target(self.address, target, response.getheader("Location") or "")
                self.close()
            else:
                raise ArchiveError(f"{self.who} redirects in a circle", remedy="check the archive's address")
            self._check_status(response.status)
            yield Answer(self.who, response, watch)

    @contextmanager
    def post(self, path: str, accept: str, content_type: str, body: Iterable[bytes], length: int) -> Iterator[Answer]:
        """POST `length` bytes; never sent twice, never sent on. Status 409 counts as an answer, as STOW has it."""
        headers = {"Accept": accept, "Content-Type": content_type, "Content-Length": str(length)}
        with Watch(self.who, self.limits, self._should_stop) as watch, self._hung_up_unless_read():
            self.close()  # a connection that the archive is about to close would take the body and lose it
            response = self._exchange(watch, "POST", f"{self.address.path}{path}", headers, body)
            if response.status in _REDIRECTS:
                same_origin_target(self.address, self.address.path, response.getheader("Location") or "")
            if response.status != 409:
                self._check_status(response.status)
            yield Answer(self.who, response, watch)

    @contextmanager
    def _hung_up_unless_read(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise
        if self._response is not None and not self._response.isclosed():
            self.close()  # what was not read of an answer would be taken for the beginning of the next one

    def _exchange(
        self, watch: Watch, method: str, target: str, headers: Mapping[str, str], body: Iterable[bytes] = ()
    ) -> http.client.HTTPResponse:
        was_open = self._connection is not None
        try:
            return self._exchange_once(watch, method, target, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if was_open and method == "GET":  # the archive may close an idle connection at any time
                return self._exchange(watch, method, target, headers)
            raise self._told(error) from error

    def _exchange_once(
        self, watch: Watch, method: str, target: str, headers: Mapping[str, str], body: Iterable[bytes]
    ) -> http.client.HTTPResponse:
        with watch.waiting():
            connection = self._connected(watch)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
        except http.client.InvalidURL:
            raise UsageError("the request holds a character that no address may hold") from None
        authorization = self._credentials.authorization(self.address.origin) if self._credentials else None
        own = {"Accept-Encoding": "identity", "User-Agent": f"neuraxis/{software_version()}"}
        for name, value in {**headers, **own, **({"Authorization": authorization} if authorization else {})}.items():
            connection.putheader(name, value)
        with watch.waiting():
            connection.endheaders()
        try:
            for block in body:
                with watch.waiting():
                    connection.send(block)
                watch.got(len(block))
        except (BrokenPipeError, ConnectionResetError):
            pass  # an archive that refuses hangs up in mid-sending; its answer says why
        with watch.waiting():
            self._response = response = connection.getresponse()
        return response

    def _connected(self, watch: Watch) -> http.client.HTTPConnection:
        if self._connection is None or self._connection.sock is None:
            origin = self.address.origin
            kind = http.client.HTTPConnection if self._tls is None else http.client.HTTPSConnection
            self._connection = connection = kind(origin.host, origin.port)
            connection.auto_open = 0  # only what is opened here, under the watch
            plain = socket.create_connection((origin.host, origin.port), timeout=self.limits.connect_s)
            plain.settimeout(2 * self.limits.silence_s + 1)  # the watch is quicker; this is for its failing
            watch.guard(plain)
            try:
                connection.sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=origin.host)
            except BaseException:
                plain.close()
                raise
        watch.guard(self._connection.sock)
        return self._connection

    def _check_status(self, status: int) -> None:
        if status < 300:
            return
        if status in (401, 403):
            given = "the credentials that were given" if self._credentials else "a request without credentials"
            raise SignInError(
                f"{self.who} refuses {given} (HTTP {status})", expected="a user name and password, or a token, that it knows",
                remedy="`neuraxis archive login` writes them to the system keyring",
            )
        if status == 404:
            raise NotThereError(
                f"{self.who} does not have it (HTTP 404)", expected="a study, series or service that is there",
                remedy="check the path of the archive's address and the UIDs",
            )
        busy = status in (408, 429, 502, 503, 504)
        raise ArchiveError(
            f"{self.who} answered HTTP {status} {http.client.responses.get(status, '')}".rstrip(),
            remedy="try again later" if busy else "the archive's log says why", expected="an answer of success",
        )

    def _told(self, error: Exception) -> ArchiveError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return NotTrustedError(
                f"the certificate of {self.who} is not trusted: {error.verify_message}",
                expected="a certificate for this host from an authority that this machine or --ca-file trusts",
                remedy="give the authority's certificate with --ca-file; if you expected a trusted one, do not sign in",
            )
        if isinstance(error, ssl.SSLError):
            return NotTrustedError(
                f"no TLS connection with {self.who}: {error.reason or 'it ended'}", expected="TLS 1.2 or newer",
                remedy="check that the port is that of https",
            )
        return unreachable(self.who, error)


def _encoded(query: Sequence[tuple[str, str]]) -> str:
    # wild cards may stand as they are in a query (RFC 3986 3.4), and Orthanc 1.10 knows them in no other way
    return urlencode(query, safe="*,", quote_via=quote)


def unreachable(who: str, error: Exception) -> ArchiveError:
    """Why nobody answered, from what the system says."""
    if isinstance(error, socket.gaierror):
        why = "its name is not known"
    elif isinstance(error, TimeoutError):
        why = "no answer in time"
    elif isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        why = "nobody listens there"
    elif isinstance(error, ConnectionError | http.client.RemoteDisconnected):
        why = "it hung up"
    elif isinstance(error, http.client.HTTPException):
        why = "what it sends is not HTTP"
    else:
        why = getattr(error, "strerror", None) or type(error).__name__
    return ArchiveError(
        f"{who} cannot be reached: {why}", expected="an archive that answers",
        remedy="check host, port and network; try again later",
    )


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified; `ca_file` in place of the system's authorities."""
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"{ca_file.name if ca_file else 'the system store'} holds no certificates that can be read",
            expected="a PEM file with the certificate of the archive's authority",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

"""A hostile DICOMweb server on loopback: a clear message, nothing stored, no credential for anybody else."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.archive.conftest import (
    PASSWORD,
    QUICK,
    SERIES,
    STUDY,
    USER,
    Behaviour,
    WebServer,
    by_uid,
    everything_in,
    instance_bytes,
)

from neuraxis.app.archive import connected
from neuraxis.errors import CancelledError, NeuraxisError, UsageError
from neuraxis.interop.archive.origin import parse_address
from neuraxis.interop.archive.outgoing import collect_outgoing
from neuraxis.interop.archive.query import StudyQuery
from neuraxis.interop.archive.transfer import Pulled, pull, push
from neuraxis.interop.archive.watch import never

Handler = BaseHTTPRequestHandler
Serve = Callable[[Behaviour], WebServer]
TYPE = 'multipart/related; type="application/dicom"; boundary=B'
ONE, TWO = instance_bytes(1), instance_bytes(2)


def answer(handler: Handler, body: bytes, media_type: str, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": media_type, "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def unsized(handler: Handler, body: bytes, media_type: str) -> None:
    """An answer that ends when the connection does."""
    handler.send_response(200)
    handler.send_header("Content-Type", media_type)
    handler.end_headers()
    handler.wfile.write(body)


def multipart(*contents: bytes, media_type: str = "application/dicom") -> bytes:
    head = f"\r\n--B\r\nContent-Type: {media_type}\r\n\r\n".encode()
    return b"".join(head + c for c in contents) + b"\r\n--B--\r\n"


def entries(tag: str, uids: list[str]) -> bytes:
    return json.dumps([{tag: {"vr": "UI", "Value": [u]}} for u in uids]).encode()


def honest(handler: Handler, instances: tuple[int, ...] = (1, 2)) -> bool:
    """Lists one series; True where the instances themselves are asked for."""
    path, _, query = handler.path.partition("?")
    first = "offset=0" in query
    if path.endswith("/studies") or path.endswith("/series"):
        tag, uid = ("0020000D", STUDY) if path.endswith("/studies") else ("0020000E", SERIES)
        answer(handler, entries(tag, [uid] if first else []), "application/dicom+json")
    elif path.endswith("/instances"):
        answer(handler, entries("00080018", [f"{SERIES}.{n}" for n in instances] if first else []), "application/dicom+json")
    else:
        return True
    return False


def pulled(web: WebServer, folder: Path, should_stop: Callable[[], bool] = never) -> Pulled:
    with connected(web.entry, credentials=web.credentials, limits=QUICK, should_stop=should_stop) as archive:
        return pull(archive, STUDY, folder, progress=lambda _f, _t: None, should_stop=should_stop)


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", TYPE)
    handler.end_headers()
    for byte in multipart(ONE, TWO):
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def drip_head(handler: Handler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + 4000 * b"X-Slow: 1\r\n":
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def endless_head(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + 5000 * b"A: b\r\n")


def endless_part(handler: Handler) -> None:
    unsized(handler, multipart(ONE)[:200], TYPE)
    while True:
        handler.wfile.write(bytes(1 << 16))


def endless_chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", TYPE)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"400\r\n" + bytes(1024) + b"\r\n")


def gzip_bomb(handler: Handler) -> None:
    answer(handler, gzip.compress(bytes(4 << 20)), TYPE, Content_Encoding="gzip")


def short_length(handler: Handler) -> None:
    body = multipart(ONE, TWO)
    handler.send_response(200)
    handler.send_header("Content-Type", TYPE)
    handler.send_header("Content-Length", str(len(body) + 5000))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 3])


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"\x02\x00\x00\x00" * 100)


HOSTILE: dict[str, tuple[Behaviour, str]] = {
    "silent": (lambda h: time.sleep(6), "fell silent for 1.5 s"),
    "dripping body": (drip, "sends too slowly"),
    "dripping head": (drip_head, "sends too slowly|fell silent"),
    "endless part": (endless_part, "an instance of more than 1,048,576 bytes"),
    "endless chunks": (endless_chunks, "does not hold the boundary"),
    "endless head": (endless_head, "what it sends is not HTTP"),
    "wrong boundary": (partial(unsized, body=multipart(ONE).replace(b"--B", b"--C"), media_type=TYPE), "breaks off before its last"),
    "no boundary": (partial(answer, body=multipart(ONE), media_type="multipart/related"), "names no boundary"),
    "half a part": (partial(unsized, body=multipart(ONE)[:9000], media_type=TYPE), "breaks off before its last boundary"),
    "half an instance": (partial(answer, body=multipart(ONE[:9000]), media_type=TYPE), "ends early|is damaged"),
    "length not kept": (short_length, "breaks off after"),
    "a page for DICOM": (partial(answer, body=b"<html>sign in</html>", media_type="text/html"), "text/html.*sign-in"),
    "a page in a part": (partial(answer, body=multipart(b"<html>", media_type="text/html"), media_type=TYPE), "part of type text/html"),
    "a page called DICOM": (partial(answer, body=multipart(b"<html>" * 100), media_type=TYPE), "is no DICOM file"),
    "wrong instance": (partial(answer, body=multipart(instance_bytes(9)), media_type=TYPE), "was not asked for"),
    "wrong series": (
        partial(answer, body=multipart(instance_bytes(1, sop_uid=f"{SERIES}.1", series_uid="1.2.3")), media_type=TYPE),
        "was not asked for"),
    "gzip bomb": (gzip_bomb, "compressed answer"),
    "nothing": (partial(answer, body=b"", media_type=TYPE), "breaks off before"),
    "no parts": (partial(answer, body=b"\r\n--B--\r\n", media_type=TYPE), "lists 2 instances and sent 0"),
    "a path for a UID": (
        partial(answer, body=multipart(ONE.replace(f"{SERIES}.1".encode(), b"../../../../../../../../../tmp/x")), media_type=TYPE),
        "lacks a proper"),
    "no HTTP": (no_http, "what it sends is not HTTP"),
    "server error": (partial(answer, body=PASSWORD.encode(), media_type="text/plain", status=500), "HTTP 500"),
    "refused": (partial(answer, body=PASSWORD.encode(), media_type="text/plain", status=401), "HTTP 401"),
    "redirects in a circle": (lambda h: answer(h, b"", "text/plain", 302, Location=h.path), "redirects in a circle"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_told_and_nothing_is_stored(serve: Serve, tmp_path: Path, name: str) -> None:
    behaviour, message = HOSTILE[name]
    web = serve(lambda h: behaviour(h) if honest(h) else None)
    with pytest.raises(NeuraxisError, match=f"(?s){message}") as told:
        pulled(web, tmp_path / "got")
    assert everything_in(tmp_path) == []
    assert told.value.remedy
    assert PASSWORD not in str(told.value)
    assert USER not in str(told.value)


def test_what_came_whole_before_an_answer_broke_off_is_kept_and_not_asked_for_again(serve: Serve, tmp_path: Path) -> None:
    broken = threading.Event()

    def behave(handler: Handler) -> None:
        if honest(handler):
            if not broken.is_set():
                broken.set()
                unsized(handler, multipart(ONE, TWO)[:40_000], TYPE)
            elif handler.path.endswith(f"/instances/{SERIES}.2"):
                answer(handler, multipart(TWO), TYPE)

    web = serve(behave)
    with pytest.raises(NeuraxisError, match="breaks off"):
        pulled(web, tmp_path / "got")
    assert list(by_uid(tmp_path / "got").values()) == [ONE]
    assert [n for n in everything_in(tmp_path / "got") if n.endswith(".part")] == []
    done = pulled(web, tmp_path / "got")
    assert (done.resumed, done.new) == (1, 1)
    assert sorted(by_uid(tmp_path / "got").values()) == sorted([ONE, TWO])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_is_refused_and_named(serve: Serve, tmp_path: Path, status: int) -> None:
    elsewhere = serve(lambda h: answer(h, multipart(ONE, TWO), TYPE))
    places = [f"http://127.0.0.1:{elsewhere.port}/x", f"//localhost:{elsewhere.port}/x", f"https://127.0.0.1:{elsewhere.port}/x"]
    for place in places:
        web = serve(lambda h, place=place: answer(h, b"", "text/plain", status, Location=place))  # type: ignore[misc]
        with pytest.raises(NeuraxisError, match=rf"sends on to another place \(https?://[a-z0-9.]+:{elsewhere.port}\)"):
            pulled(web, tmp_path / "got")
        (tmp_path / "one.dcm").write_bytes(ONE)
        posting = serve(lambda h, place=place: answer(h, b"", "text/plain", status, Location=place) if h.command == "POST"  # type: ignore[misc]
                        else answer(h, b"[]", "application/dicom+json"))
        with connected(posting.entry, credentials=posting.credentials, limits=QUICK) as archive, \
                pytest.raises(NeuraxisError, match="sends on to another place"):
            push(archive, collect_outgoing([tmp_path / "one.dcm"]), new_uid=lambda: "1.2", progress=lambda _f, _t: None)
    assert elsewhere.asked == []
    assert everything_in(tmp_path) == ["one.dcm"]


def test_a_redirect_on_the_same_origin_is_followed(serve: Serve, tmp_path: Path) -> None:
    def behave(handler: Handler) -> None:
        if "/moved" not in handler.path:
            answer(handler, b"", "text/plain", 307, Location=handler.path.replace("/dw/", "/dw/moved/"))
        elif honest(handler):
            answer(handler, multipart(ONE, TWO), TYPE)

    assert pulled(serve(behave), tmp_path / "got").new == 2


def test_bulk_data_elsewhere_is_refused_and_named(serve: Serve, tmp_path: Path) -> None:
    elsewhere = serve(lambda h: answer(h, b"", "application/octet-stream"))

    def behave(handler: Handler) -> None:
        if handler.path.startswith("/dw/studies?"):
            entry: dict[str, Any] = json.loads(entries("0020000D", [STUDY]))[0]
            entry["7FE00010"] = {"vr": "OW", "BulkDataURI": f"http://127.0.0.1:{elsewhere.port}/bulk"}
            entry["00081190"] = {"vr": "UR", "Value": [f"http://127.0.0.1:{elsewhere.port}/studies/1"]}
            answer(handler, json.dumps([entry] if "offset=0" in handler.path else []).encode(), "application/dicom+json")

    web = serve(behave)
    with connected(web.entry, credentials=web.credentials, limits=QUICK) as archive:
        assert len(archive.find_studies(StudyQuery(), 10)) == 1
        assert archive.notes == [
            f"http://127.0.0.1:{web.port} points to http://127.0.0.1:{elsewhere.port} for bulk data (BulkDataURI); "
            "refused, nothing was asked there"
        ]
    assert elsewhere.asked == []
    assert {a for _, _, a in web.asked} == {web.credentials.authorization(web.credentials.origin)}


LISTS: dict[str, tuple[Behaviour, str]] = {
    "no JSON": (partial(answer, body=b"{", media_type="application/json"), "no JSON"),
    "deep JSON": (partial(answer, body=b"[" * 60_000, media_type="application/json"), "no JSON"),
    "a number": (partial(answer, body=b"7", media_type="application/dicom+json"), "another form"),
    "too long": (partial(answer, body=b"[" + b"{}," * 30_000 + b"{}]", media_type="application/dicom+json"), "more than 65,536 bytes"),
    "too many": (partial(answer, body=b"[" + b"{}," * 300 + b"{}]", media_type="application/dicom+json"), "301 entries at once"),
    "no UID": (partial(answer, body=entries("0020000E", ["../etc"]), media_type="application/dicom+json"), "without a proper UID"),
    "a page": (partial(answer, body=b"<html>", media_type="text/html"), "text/html"),
    "endless pages": (lambda h: answer(h, entries("0020000E", [f"1.2.{time.time_ns()}"]), "application/dicom+json"), "entries and more"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_hostile_list_is_told(serve: Serve, tmp_path: Path, name: str) -> None:
    behaviour, message = LISTS[name]
    with pytest.raises(NeuraxisError, match=message):
        pulled(serve(behaviour), tmp_path / "got")
    assert everything_in(tmp_path) == []


def test_what_an_archive_lists_cannot_steer_a_terminal(serve: Serve) -> None:
    def behave(handler: Handler) -> None:
        entry = json.loads(entries("0020000D", [STUDY]))[0]
        entry["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": "Doe\x1b[2J\r\n^J\u202eane"}]}
        answer(handler, json.dumps([entry] if "offset=0" in handler.path else []).encode(), "application/dicom+json")

    web = serve(behave)
    with connected(web.entry, limits=QUICK) as archive:
        assert archive.find_studies(StudyQuery(), 10)[0].patient_name == "Doe[2J^Jane"


def test_stopping_takes_effect_while_the_archive_is_silent(serve: Serve, tmp_path: Path) -> None:
    web = serve(lambda h: time.sleep(6) if honest(h) else None)

    def should_stop() -> bool:
        return any("/series/" in target and target.endswith(SERIES) for _, target, _ in web.asked)

    patient = replace(QUICK, silence_s=30)
    started = time.monotonic()
    with connected(web.entry, limits=patient, should_stop=should_stop) as archive, pytest.raises(CancelledError):
        pull(archive, STUDY, tmp_path / "got", progress=lambda _f, _t: None, should_stop=should_stop)
    assert time.monotonic() - started < 20
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("case", ["keeps the old one", "keeps nothing", "refuses", "says nothing"])
def test_a_store_is_believed_only_when_it_is_read_back(serve: Serve, tmp_path: Path, case: str) -> None:
    (tmp_path / "one.dcm").write_bytes(ONE)

    def behave(handler: Handler) -> None:
        if handler.command == "POST":
            handler.rfile.read(int(handler.headers["Content-Length"]))
            failed = {"00081198": {"vr": "SQ", "Value": [{
                "00081155": {"vr": "UI", "Value": [f"{SERIES}.1"]}, "00081197": {"vr": "US", "Value": [0xA702]}}]}}
            if case == "says nothing":
                answer(handler, b"", "text/plain")
            else:
                answer(handler, json.dumps(failed if case == "refuses" else {}).encode(), "application/dicom+json",
                       409 if case == "refuses" else 200)
        elif honest(handler, ()):
            if case == "keeps nothing":
                answer(handler, b"", "text/plain", 404)
            else:
                held = ONE if case == "says nothing" else instance_bytes(1, seed=5)
                answer(handler, multipart(held), TYPE)

    web = serve(behave)
    with connected(web.entry, limits=QUICK) as archive:
        outbox = collect_outgoing([tmp_path / "one.dcm"])
        if case == "says nothing":
            assert len(push(archive, outbox, new_uid=lambda: "1.2", progress=lambda _f, _t: None).sent) == 1
            return
        message = {"keeps the old one": "holds something else: PixelData differ", "keeps nothing": "does not give them back",
                   "refuses": "refused 1 of 1 instances: out of resources"}[case]
        with pytest.raises(NeuraxisError, match=message):
            push(archive, outbox, new_uid=lambda: "1.2", progress=lambda _f, _t: None)


@pytest.mark.parametrize("url", ["https://u:secret@x/dw", "https://x/dw?token=secret", "ftp://x", "x", "https://", "http://x/dw",
                                 "https://x:99999/", "https://[::1", "http://127.0.0.1.evil.example/"])
def test_addresses_that_are_refused_are_not_repeated_with_secrets(url: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_address(url)
    assert "secret" not in str(told.value)


def test_credentials_are_for_one_origin_and_have_no_text(serve: Serve) -> None:
    web = serve(lambda h: answer(h, b"[]", "application/dicom+json"))
    credentials = web.credentials
    assert PASSWORD not in repr(credentials) + str(credentials)
    for other in ("https://127.0.0.1", f"http://localhost:{web.port}", f"http://127.0.0.1:{web.port + 1}"):
        assert credentials.authorization(parse_address(other).origin) is None
    stranger = serve(lambda h: answer(h, b"[]", "application/dicom+json"))
    with connected(stranger.entry, credentials=credentials, limits=QUICK) as archive:
        archive.check()
    assert {a for _, _, a in stranger.asked} == {""}

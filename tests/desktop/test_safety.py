"""Opening a study changes nothing in its folder, runs nothing from it, and asks nobody on a network."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.desktop.reading_session import read

pytestmark = pytest.mark.gui
KNOWN_PROGRAMS = {"/usr/bin/fc-list"}
"""Matplotlib asks this one for the fonts of the machine, once in a user's life."""
SESSION = Path(__file__).with_name("reading_session.py")


@pytest.fixture
def baited_study(capnon_folder: Path, tmp_path: Path) -> Path:
    """Two real series beside files that tell when they are run, read only."""
    study, told = tmp_path / "study", tmp_path / "told"
    for folder in ("05_flair", "02_ct_thick"):
        found = next(p for p in capnon_folder.iterdir() if p.name.startswith(folder[:2]))
        shutil.copytree(found, study / folder)
    script = f"#!/bin/sh\ntouch {told}\n"
    python = f"open({str(told)!r}, 'w').close()\n"
    for name, text in (
        ("run.sh", script), ("autorun", script), ("setup.py", python), ("__init__.py", python),
        ("conftest.py", python), ("sitecustomize.py", python), ("plugin.pth", f"import os; {python}"),
        ("napari.yaml", "name: bait\ncontributions: {}\n"),
        ("study.pkl", "cposix\nsystem\n(S'touch " + str(told) + "'\ntR."),
    ):
        (study / name).write_text(text)
        (study / name).chmod(0o755)
    return study


def fingerprint(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Content, time of the last change and mode of every file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = (content, status.st_mtime_ns, stat.S_IMODE(status.st_mode))
    return found


def test_a_study_is_read_without_a_trace_and_without_a_connection(
    baited_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: Any, flush_deleted: None
) -> None:
    before = fingerprint(baited_study)
    asked: list[object] = []

    def refuse(_self: object, address: object, *_more: object) -> None:
        asked.append(address)
        raise OSError("no network in this test")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **_k: refuse(None, a))
    assert read(str(baited_study)) > 0
    assert asked == []
    assert fingerprint(baited_study) == before
    assert not (tmp_path / "told").exists()


def traced(log: str) -> tuple[list[str], list[str]]:
    """(programs that were run, addresses beyond this machine's own sockets) of an strace log."""
    programs = re.findall(r'execve\("([^"]+)".*\) = 0', log)
    reached = [
        line for line in log.splitlines()
        if re.search(r"\b(connect|sendto|bind|sendmsg)\(", line) and re.search(r"AF_INET6?\b", line)
    ]
    return programs, reached


def test_the_judge_of_the_trace_sees_a_connection_and_a_program() -> None:
    log = (
        '7 execve("/usr/bin/id", ["id"], 0x7ff /* 3 vars */) = 0\n'
        '7 execve("/opt/id", ["id"], 0x7ff /* 3 vars */) = -1 ENOENT (No such file or directory)\n'
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}, 16) = -1 EINPROGRESS\n'
        '7 connect(4, {sa_family=AF_UNIX, sun_path="/tmp/.X11-unix/X1"}, 20) = 0\n'
    )
    programs, reached = traced(log)
    assert programs == ["/usr/bin/id"]
    assert len(reached) == 1


@pytest.mark.slow
def test_the_operating_system_saw_no_connection_and_no_foreign_program(baited_study: Path, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: what the process asked of the system cannot be seen")
    log = tmp_path / "strace.log"
    before = fingerprint(baited_study)
    command = [strace, "-f", "-qq", "--seccomp-bpf", "-e", "trace=network,execve", "-o", str(log)]
    done = subprocess.run(
        [*command, sys.executable, str(SESSION), str(baited_study)], cwd=tmp_path, capture_output=True, text=True,
        timeout=300, check=False,
    )
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip(f"strace may not watch processes here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    programs, reached = traced(log.read_text(encoding="utf-8", errors="replace"))
    assert reached == []
    inside = [p for p in programs if Path(p).is_relative_to(baited_study)]
    assert inside == []
    own = {Path(p).resolve() for p in (sys.executable,)}
    foreign = {p for p in programs if Path(p).resolve() not in own}
    assert foreign <= KNOWN_PROGRAMS, f"programs nobody expected: {sorted(foreign)}"
    assert fingerprint(baited_study) == before
    assert not (tmp_path / "told").exists()



"""Roles from the headers of common sequences, with and without a telling name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuraxis.dicom import open_study
from neuraxis.dicom.role_rules import rule_table
from neuraxis.domain.study import Confidence, Role

SE, GR, IR, EP = ("CS", "SE"), ("CS", "GR"), ("CS", "SE\\IR"), ("CS", "EP")


def mr(sequence: tuple[str, str], te: float, tr: float, **more: Any) -> dict[int, Any]:
    names = {
        "ti": 0x00180082, "fa": 0x00181314, "variant": 0x00180021, "kind": 0x00180023, "options": 0x00180022, "agent": 0x00180010,
        "name": 0x00180024, "text": 0x0008103E, "type": 0x00080008,
    }
    vrs = {"ti": "DS", "fa": "DS", "agent": "LO", "name": "SH", "text": "LO"}
    out: dict[int, Any] = {0x00180020: sequence, 0x00180081: ("DS", f"{te}"), 0x00180080: ("DS", f"{tr}"), 0x0008103E: None}
    return out | {names[k]: (vrs.get(k, "CS"), str(v)) for k, v in more.items()}


CASES: dict[str, tuple[dict[int, Any], Role, Confidence]] = {
    "T1 spin echo": (mr(SE, 9, 600), Role.T1, Confidence.CERTAIN),
    "T1 MPRAGE": (mr(GR, 2.9, 2000, ti=900, variant="SK\\SP\\MP", kind="3D", fa=9), Role.T1, Confidence.CERTAIN),
    "T1 MPRAGE with agent": (mr(GR, 2.9, 2000, ti=900, variant="SK\\SP\\MP", kind="3D", agent="Gadovist"), Role.T1C, Confidence.CERTAIN),
    "T1 with agent told only by name": (mr(SE, 9, 600, text="t1_tse_tra +Gd"), Role.T1C, Confidence.PROBABLE),
    "T1 without agent, so named": (mr(SE, 9, 600, agent="NONE"), Role.T1, Confidence.CERTAIN),
    "T1 FLAIR": (mr(IR, 12, 2000, ti=800), Role.T1, Confidence.CERTAIN),
    "T2 turbo spin echo": (mr(SE, 96, 5000), Role.T2, Confidence.CERTAIN),
    "proton density": (mr(SE, 15, 3000), Role.PD, Confidence.CERTAIN),
    "T2 FLAIR": (mr(IR, 120, 9000, ti=2500), Role.FLAIR, Confidence.CERTAIN),
    "SWI by name": (mr(GR, 20, 28, kind="3D", text="SWI_Images", options="FC"), Role.SWI, Confidence.CERTAIN),
    "SWI by physics": (mr(GR, 20, 28, kind="3D", options="FC"), Role.SWI, Confidence.PROBABLE),
    "SWI phase": (mr(GR, 20, 28, kind="3D", type="ORIGINAL\\PRIMARY\\P\\ND", text="Pha_Images"), Role.SWI_PHASE, Confidence.CERTAIN),
    "SWI phase without a name": (mr(GR, 20, 28, kind="3D", type="ORIGINAL\\PRIMARY\\P\\ND"), Role.SWI_PHASE, Confidence.PROBABLE),
    "SWI minIP": (mr(GR, 20, 28, type="DERIVED\\PRIMARY\\MNIP\\SWI"), Role.SWI_MINIP, Confidence.CERTAIN),
    "T2* gradient echo": (mr(GR, 25, 700, kind="2D", fa=20), Role.GRE, Confidence.CERTAIN),
    "diffusion": (mr(EP, 90, 5000) | {0x00189087: ("FD", 1000.0)}, Role.DWI, Confidence.CERTAIN),
    "ADC map": (mr(EP, 90, 5000, type="DERIVED\\PRIMARY\\ADC\\NORM"), Role.ADC, Confidence.CERTAIN),
    "CISS by name": (mr(GR, 3, 6, kind="3D", variant="SS", text="t2_ci3d CISS"), Role.CISS, Confidence.CERTAIN),
    "FIESTA by physics": (mr(GR, 2, 5, kind="3D", variant="SS", fa=55), Role.CISS, Confidence.PROBABLE),
    "time of flight": (mr(GR, 3.5, 22, kind="3D", text="TOF_3D_multi-slab"), Role.MRA, Confidence.CERTAIN),
    "localizer by name": (mr(GR, 4, 8, text="localizer"), Role.LOCALIZER, Confidence.PROBABLE),
    "unknown": (mr(("CS", "RM"), 40, 900), Role.UNKNOWN, Confidence.UNKNOWN),
}


@pytest.mark.parametrize("name", list(CASES))
def test_a_sequence_is_recognised_with_a_reason(name: str, tmp_path: Path, dicom: Any) -> None:
    changes, role, confidence = CASES[name]
    dicom.series(tmp_path, count=4, modality="MR", changes=changes)
    (series,) = open_study(tmp_path).series
    assert (series.role.role, series.role.confidence) == (role, confidence), series.role.reason
    assert series.role.reason
    assert "{" not in series.role.reason


def test_every_rule_names_a_role_a_confidence_and_a_reason() -> None:
    table = rule_table()
    for entry in table["rule"]:
        assert entry["role"] in {r.value for r in Role}
        assert entry["confidence"] in {c.value for c in Confidence}
        assert entry["reason"]
        assert entry["when"]
    assert {Role(e["role"]) for e in table["rule"]} == set(Role)

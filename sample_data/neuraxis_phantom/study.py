"""Makes a whole study of one case: CT, T1, T2, FLAIR, SWI, T1 after contrast, with its truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis_phantom import ct, mr, swi
from neuraxis_phantom.acquire import Progress
from neuraxis_phantom.anatomy import Anatomy, Scene, anatomy_seed
from neuraxis_phantom.dicom_files import SeriesPlan, write_series
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.lesions import CASES, Lesion, lesion_of
from neuraxis_phantom.record import write_truth
from neuraxis_phantom.scene import build_scene

CT_WINDOWS = [(40.0, 80.0, "BRAIN"), (500.0, 2000.0, "BONE")]
T1_WINDOW = [(300.0, 650.0, "WINDOW1")]
T2_WINDOW = [(480.0, 960.0, "WINDOW1")]
FLAIR_WINDOW = [(320.0, 700.0, "WINDOW1")]
SWI_WINDOW = [(260.0, 520.0, "WINDOW1")]


def case_names() -> tuple[str, ...]:
    """Cases that `write_case` knows; `random` takes its lesion from the seed."""
    return (*CASES, "random")


def case_parameters(case: str, seed: int = 0) -> Lesion:
    """The lesion of a case (ValueError where the name is unknown)."""
    return lesion_of(case, seed)


def handedness_of(case: str, seed: int) -> int:
    """Sign of the phase of a paramagnetic vein: -1 in the named cases, by the seed's parity in random ones."""
    return -1 if case != "random" or seed % 2 == 0 else 1


def ct_attributes(kernel: ct.Kernel) -> dict[str, Any]:
    """CT Image module."""
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "KVP": "120", "ConvolutionKernel": kernel.name,
        "XRayTubeCurrent": 280, "ExposureTime": 1000, "Exposure": 280, "FilterType": "FLAT", "GantryDetectorTilt": "0",
        "DataCollectionDiameter": "500", "ReconstructionDiameter": "230.4", "TableHeight": "150",
        "RotationDirection": "CW", "ScanOptions": "HELICAL MODE", "SpiralPitchFactor": 0.55,
        "SingleCollimationWidth": 0.6, "ProtocolName": "Head",
    }  # fmt: skip


def mr_attributes(
    sequence: str | list[str], variant: list[str], kind: str, timing: dict[str, float], grid: Grid, **more: Any
) -> dict[str, Any]:
    """MR Image module; `timing` has TR, TE, TI in ms and FA in degrees where they apply."""
    attributes: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"], "ScanningSequence": sequence, "SequenceVariant": variant,
        "ScanOptions": "", "MRAcquisitionType": kind, "RepetitionTime": f"{timing['TR']:g}",
        "EchoTime": f"{timing['TE']:g}", "FlipAngle": f"{timing.get('FA', 150.0):g}", "EchoTrainLength": 1,
        "MagneticFieldStrength": "3", "ImagingFrequency": "127.731", "ImagedNucleus": "1H", "NumberOfAverages": "1",
        "EchoNumbers": 1, "PixelBandwidth": "200", "AcquisitionMatrix": [0, grid.shape[2], grid.shape[1], 0],
        "InPlanePhaseEncodingDirection": "ROW", "PercentSampling": "100", "PercentPhaseFieldOfView": "100",
        "ReceiveCoilName": "Head_32", "ProtocolName": "Head", "AngioFlag": "N",
    }  # fmt: skip
    if "TI" in timing:
        attributes["InversionTime"] = f"{timing['TI']:g}"
    return attributes | more


def swi_plans(grid: Grid) -> list[SeriesPlan]:
    """Magnitude, phase, SWI, minIP."""
    base = mr_attributes("GR", ["SP", "OSP"], "3D", mr.SWI, grid, SequenceName="*fl3d1r", ScanOptions="FC")
    z = grid.spacing_xyz_mm[2]
    depth = swi.MINIP_SLICES * z

    def plan(number: int, folder: str, description: str, role: str, image_type: list[str], **more: Any) -> SeriesPlan:
        options = {"thickness_mm": z, "windows": SWI_WINDOW, **more}
        return SeriesPlan(
            number, folder, description, "MR", role, "MR", "112000", {**base, "ImageType": image_type}, **options
        )

    phase = {"slope": 2.0, "intercept": -4096.0, "windows": [(0.0, 8192.0, "WINDOW1")]}
    return [
        plan(6, "06_swi_magnitude", "Mag_Images", "GRE", ["ORIGINAL", "PRIMARY", "M", "NORM"]),
        plan(7, "07_swi_phase", "Pha_Images", "SWI_PHASE", ["ORIGINAL", "PRIMARY", "P", "ND"], **phase),
        plan(8, "08_swi", "SWI_Images", "SWI", ["DERIVED", "PRIMARY", "M", "SWI"]),
        plan(
            9,
            "09_swi_minip",
            "mIP_Images(SW)",
            "SWI_MINIP",
            ["DERIVED", "SECONDARY", "MINIP", "SWI"],
            thickness_mm=depth,
        ),
    ]


@dataclass
class StudyWriter:
    """One study being made: the lesion in its head, where it goes, and the series written so far."""

    directory: Path
    case: str
    seed: int
    scene: Scene
    done: list[tuple[SeriesPlan, Grid]] = field(default_factory=list)

    def write(self, plan: SeriesPlan, grid: Grid, voxels: NDArray[np.int16]) -> None:
        """Write one series and remember it for the truth."""
        write_series(self.directory, self.case, self.seed, plan, grid, voxels)
        self.done.append((plan, grid))

    def ct(self) -> None:
        """Thin and thick CT of the same rays."""
        grid = ct.thin_grid()
        thin, thick = ct.simulate_ct(self.scene, self.seed, grid)
        plans = [
            ("01_ct_thin", f"Head 0.6 mm {ct.THIN.name}", ct.THIN, 0.6, grid, thin),
            ("02_ct_thick", f"Head 4.8 mm {ct.SOFT.name}", ct.SOFT, 4.8, ct.thick_grid(grid), thick),
        ]
        for number, (folder, text, kernel, thickness, series_grid, hu) in enumerate(plans, start=1):
            plan = SeriesPlan(
                number, folder, text, "CT", "CT", "CT", "090100", ct_attributes(kernel), thickness, windows=CT_WINDOWS
            )
            self.write(plan, series_grid, ct.stored(hu))

    def t1(self) -> None:
        """T1 before and after contrast, the same sequence and grid."""
        grid = mr.t1_grid()
        base = mr_attributes(["GR", "IR"], ["SP", "MP"], "3D", mr.MPRAGE, grid, SequenceName="*tfl3d1")
        contrast = {
            **base, "ContrastBolusAgent": "Gadolinium chelate", "ContrastBolusRoute": "INTRAVENOUS", "ContrastBolusVolume": "7",
        }  # fmt: skip
        pre, post = mr.simulate_t1(self.scene, self.seed, grid)
        for number, folder, text, role, time, attributes, voxels in (
            (3, "03_t1", "t1_mprage_ax", "T1", "110500", base, pre),
            (10, "10_t1_contrast", "t1_mprage_ax_post", "T1C", "113500", contrast, post),
        ):
            plan = SeriesPlan(number, folder, text, "MR", role, "MR", time, attributes, 1.0, windows=T1_WINDOW)
            self.write(plan, grid, voxels)

    def t2(self) -> None:
        """T2 and FLAIR, both parallel to the skull base."""
        grid = mr.t2_grid()
        attributes = mr_attributes(
            "SE", ["SK", "SP"], "2D", mr.TSE, grid, SequenceName="*tse2d1_17", EchoTrainLength=17
        )
        plan = SeriesPlan(4, "04_t2", "t2_tse_tra", "MR", "T2", "MR", "111000", attributes, 1.5, windows=T2_WINDOW)
        self.write(plan, grid, mr.simulate_t2(self.scene, self.seed, grid))
        grid = mr.flair_grid()
        attributes = mr_attributes(
            ["SE", "IR"], ["SK", "SP", "MP"], "2D", mr.FLAIR, grid, SequenceName="*tir2d1_16", EchoTrainLength=16
        )
        text = "t2_tirm_tra_dark-fluid"
        plan = SeriesPlan(5, "05_flair", text, "MR", "FLAIR", "MR", "111500", attributes, 3.0, windows=FLAIR_WINDOW)
        self.write(plan, grid, mr.simulate_flair(self.scene, self.seed, grid))

    def swi(self, handedness: int) -> swi.Void:
        """Magnitude, phase, SWI and minIP of one acquisition; the void that the lesion makes in it."""
        grid = swi.swi_grid()
        images = swi.simulate_swi(self.scene, self.seed, grid, handedness)
        first = (swi.MINIP_SLICES - 1) / 2
        count = grid.shape[0] - swi.MINIP_SLICES + 1
        slabs = Grid((count, *grid.shape[1:]), grid.spacing_xyz_mm, grid.points(np.array([first, 0.0, 0.0])), grid.axes)
        arrays = (images.magnitude, images.phase, images.swi, images.minip)
        for plan, series_grid, voxels in zip(swi_plans(grid), (grid, grid, grid, slabs), arrays, strict=True):
            self.write(plan, series_grid, voxels)
        return images.void


def write_case(
    case: str, directory: Path, *, seed: int = 0, progress: Progress | None = None, anatomy: Anatomy | None = None
) -> Path:
    """Write the study of `case` below `directory` (made if absent): a folder a series, masks, truth.json.

    The same case and seed give the same bytes. `progress` is called with a fraction (0 to 1) and a phrase. Whoever writes
    many cases gives the `anatomy` of the seed (`anatomy_seed`), made with `keep`: its pictures without lesion are then
    used again, with the same result.
    """
    tell = progress or (lambda _fraction, _text: None)
    lesion = case_parameters(case, seed)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tell(0.0, "building the head")
    wanted = anatomy_seed(case, seed)
    if anatomy is not None and anatomy.seed != wanted:
        raise ValueError(f"{case} {seed} lies in anatomy {wanted}, not {anatomy.seed}")
    scene = build_scene(lesion, seed, anatomy or Anatomy(wanted))
    study = StudyWriter(directory, case, seed, scene)
    sign = handedness_of(case, seed)
    tell(0.1, "CT")
    study.ct()
    tell(0.35, "T1")
    study.t1()
    tell(0.5, "T2 and FLAIR")
    study.t2()
    tell(0.75, "SWI")
    void = study.swi(sign)
    tell(0.95, "truth")
    write_truth(directory, case, seed, scene, study.done, sign, void)
    tell(1.0, "done")
    return directory

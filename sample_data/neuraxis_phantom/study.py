"""Makes a whole study of one case: CT, T1, T2, FLAIR, SWI, T1 after contrast, with its truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuraxis_phantom import ct, mr, swi
from neuraxis_phantom.acquire import Progress
from neuraxis_phantom.dicom_files import SeriesPlan, write_series
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.lesions import CASES, Lesion, lesion_of
from neuraxis_phantom.place import build_head
from neuraxis_phantom.record import write_truth

CT_WINDOWS = [(40.0, 80.0, "BRAIN"), (500.0, 2000.0, "BONE")]


def case_names() -> tuple[str, ...]:
    """Cases that `write_case` knows; `random` takes its lesion from the seed."""
    return (*CASES, "random")


def case_parameters(case: str, seed: int = 0) -> Lesion:
    """The lesion of a case (ValueError where the name is unknown)."""
    return lesion_of(case, seed)


def handedness_of(case: str, seed: int) -> int:
    """Sign of the phase of a paramagnetic vein: -1 in the named cases, drawn from the seed in random ones."""
    return -1 if case != "random" or seed % 2 == 0 else 1


def ct_attributes(kernel: str, thickness: float, image_type: list[str]) -> dict[str, Any]:
    """CT Image module."""
    return {
        "ImageType": image_type, "KVP": "120", "ConvolutionKernel": kernel, "XRayTubeCurrent": 280, "ExposureTime": 1000,
        "Exposure": 280, "FilterType": "FLAT", "GantryDetectorTilt": "0", "DataCollectionDiameter": "500",
        "ReconstructionDiameter": "230.4", "TableHeight": "150", "RotationDirection": "CW", "ScanOptions": "HELICAL MODE",
        "SpiralPitchFactor": 0.55, "SingleCollimationWidth": 0.6, "ProtocolName": "Head",
    }  # fmt: skip


def mr_attributes(
    sequence: str | list[str], variant: str | list[str], kind: str, tr: float, te: float, flip: float, grid: Grid, **more: Any
) -> dict[str, Any]:
    """MR Image module."""
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"], "ScanningSequence": sequence, "SequenceVariant": variant,
        "ScanOptions": "", "MRAcquisitionType": kind, "RepetitionTime": f"{tr:g}", "EchoTime": f"{te:g}",
        "FlipAngle": f"{flip:g}", "EchoTrainLength": 1, "MagneticFieldStrength": "3", "ImagingFrequency": "127.731",
        "ImagedNucleus": "1H", "NumberOfAverages": "1", "EchoNumbers": 1, "PixelBandwidth": "200",
        "AcquisitionMatrix": [0, grid.shape[2], grid.shape[1], 0], "InPlanePhaseEncodingDirection": "ROW",
        "PercentSampling": "100", "PercentPhaseFieldOfView": "100", "ReceiveCoilName": "Head_32", "ProtocolName": "Head",
        "AngioFlag": "N", **more,
    }  # fmt: skip


def swi_plans(grid: Grid) -> list[SeriesPlan]:
    """Magnitude, phase, SWI, minIP."""
    p = mr.SWI

    def attributes(image_type: list[str]) -> dict[str, Any]:
        base = mr_attributes("GR", ["SP", "OSP"], "3D", p["TR"], p["TE"], p["FA"], grid, SequenceName="*fl3d1r")
        return {**base, "ImageType": image_type, "ScanOptions": "FC"}

    mag = attributes(["ORIGINAL", "PRIMARY", "M", "NORM"])
    pha = attributes(["ORIGINAL", "PRIMARY", "P", "ND"])
    comb = attributes(["DERIVED", "PRIMARY", "M", "SWI"])
    low = attributes(["DERIVED", "SECONDARY", "MINIP", "SWI"])
    depth = swi.MINIP_SLICES * grid.spacing_xyz_mm[2]
    window = [(260.0, 520.0, "WINDOW1")]
    z = grid.spacing_xyz_mm[2]
    return [
        SeriesPlan(6, "06_swi_magnitude", "Mag_Images", "MR", "GRE", "MR", "112000", mag, z, windows=window),
        SeriesPlan(7, "07_swi_phase", "Pha_Images", "MR", "SWI_PHASE", "MR", "112000", pha, z, 2.0, -4096.0, [(0.0, 8192.0, "WINDOW1")]),
        SeriesPlan(8, "08_swi", "SWI_Images", "MR", "SWI", "MR", "112000", comb, z, windows=window),
        SeriesPlan(9, "09_swi_minip", "mIP_Images(SW)", "MR", "SWI_MINIP", "MR", "112000", low, depth, windows=window),
    ]  # fmt: skip


def write_case(case: str, directory: Path, *, seed: int = 0, progress: Progress | None = None) -> Path:
    """Write the study of `case` below `directory` (made if absent): a folder a series, masks, truth.json.

    The same case and seed give the same bytes. `progress` is called with a fraction (0 to 1) and a phrase.
    """
    tell = progress or (lambda fraction, text: None)
    lesion = case_parameters(case, seed)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tell(0.0, "building the head")
    head, placed = build_head(lesion, seed)
    done: list[tuple[SeriesPlan, Grid]] = []

    def write(plan: SeriesPlan, grid: Grid, voxels: Any) -> None:
        write_series(directory, case, seed, plan, grid, voxels)
        done.append((plan, grid))

    tell(0.1, "CT")
    thin_grid = ct.thin_grid()
    thin, thick = ct.simulate_ct(head, placed, seed, thin_grid)
    plan = SeriesPlan(
        1, "01_ct_thin", "Head 0.6 mm Hr49", "CT", "CT", "CT", "090100",
        ct_attributes(ct.THIN.name, 0.6, ["ORIGINAL", "PRIMARY", "AXIAL"]), 0.6, windows=CT_WINDOWS,
    )  # fmt: skip
    write(plan, thin_grid, ct.stored(thin))
    plan = SeriesPlan(
        2, "02_ct_thick", "Head 4.8 mm Hc31", "CT", "CT", "CT", "090100",
        ct_attributes(ct.SOFT.name, 4.8, ["ORIGINAL", "PRIMARY", "AXIAL"]), 4.8, windows=CT_WINDOWS,
    )  # fmt: skip
    write(plan, ct.thick_grid(thin_grid), ct.stored(thick))
    del thin, thick

    tell(0.4, "T1")
    grid = mr.t1_grid()
    p = mr.MPRAGE
    base = mr_attributes(
        ["GR", "IR"], ["SP", "MP"], "3D", p["TR"], p["TE"], p["FA"], grid, InversionTime=f"{p['TI']:g}", SequenceName="*tfl3d1"
    )
    pre, post = mr.simulate_t1(head, placed, seed, grid)
    t1_window = [(300.0, 650.0, "WINDOW1")]
    write(SeriesPlan(3, "03_t1", "t1_mprage_ax", "MR", "T1", "MR", "110500", base, 1.0, windows=t1_window), grid, pre)
    contrast = {
        **base, "ContrastBolusAgent": "Gadolinium chelate", "ContrastBolusRoute": "INTRAVENOUS", "ContrastBolusVolume": "7",
    }  # fmt: skip
    plan = SeriesPlan(10, "10_t1_contrast", "t1_mprage_ax_post", "MR", "T1C", "MR", "113500", contrast, 1.0, windows=t1_window)
    write(plan, grid, post)
    del pre, post

    tell(0.6, "T2")
    grid = mr.t2_grid()
    attributes = mr_attributes("SE", ["SK", "SP"], "2D", 5200, 96, 150, grid, SequenceName="*tse2d1_17")
    attributes["EchoTrainLength"] = 17
    plan = SeriesPlan(4, "04_t2", "t2_tse_tra", "MR", "T2", "MR", "111000", attributes, 1.5, windows=[(480.0, 960.0, "WINDOW1")])
    write(plan, grid, mr.simulate_t2(head, placed, seed, grid))
    grid = mr.flair_grid()
    attributes = mr_attributes(["SE", "IR"], ["SK", "SP", "MP"], "2D", 9000, 118, 150, grid, InversionTime="2500", SequenceName="*tir2d1_16")
    attributes["EchoTrainLength"] = 16
    plan = SeriesPlan(5, "05_flair", "t2_tirm_tra_dark-fluid", "MR", "FLAIR", "MR", "111500", attributes, 3.0, windows=[(320.0, 700.0, "WINDOW1")])
    write(plan, grid, mr.simulate_flair(head, placed, seed, grid))

    tell(0.75, "SWI")
    grid = swi.swi_grid()
    sign = handedness_of(case, seed)
    images = swi.simulate_swi(head, placed, seed, grid, sign)
    first = (swi.MINIP_SLICES - 1) / 2
    thick_grid = Grid(images.minip.shape, grid.spacing_xyz_mm, grid.points([first, 0.0, 0.0]), grid.axes)
    arrays = (images.magnitude, images.phase, images.swi, images.minip)
    for plan, series_grid, array in zip(swi_plans(grid), (grid, grid, grid, thick_grid), arrays, strict=True):
        write(plan, series_grid, array)

    tell(0.95, "truth")
    write_truth(directory, case, seed, head, placed, done, sign)
    tell(1.0, "done")
    return directory

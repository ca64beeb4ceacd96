"""Windows: the DICOM formulas, the preset list, the automatic window."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis.domain.window import Window, WindowFunction, automatic_window, window_preset, window_presets
from neuraxis.errors import UsageError


@pytest.mark.parametrize("function", list(WindowFunction))
@pytest.mark.parametrize(("center", "width"), [(40.0, 80.0), (500.0, 2000.0), (32.0, 8.0)])
def test_grey_values_follow_the_standard_as_pydicom_computes_them(
    function: WindowFunction, center: float, width: float
) -> None:
    from pydicom.dataset import Dataset
    from pydicom.pixels.processing import apply_windowing

    ds = Dataset()
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = center, width, function.value
    ds.PhotometricInterpretation, ds.BitsStored, ds.PixelRepresentation = "MONOCHROME2", 16, 1
    values = np.arange(-1024, 3072, dtype=np.int16)
    expected = apply_windowing(values, ds)
    expected = (expected - (-32768)) / 65535 * 255
    np.testing.assert_allclose(Window(center, width, function).to_grey(values), expected, atol=0.51)


def test_presets_have_the_names_order_keys_and_ranges_of_the_contract() -> None:
    found = [(p.name, p.window.width, p.window.center, p.key) for p in window_presets()]
    assert found == [
        ("brain", 80, 40, "1"), ("subdural", 200, 75, "2"), ("stroke", 40, 40, "3"), ("stroke narrow", 8, 32, "4"),
        ("bone", 2000, 500, "5"), ("temporal bone", 2800, 600, "6"), ("soft tissue", 350, 50, "7"),
        ("calcium", 1500, 450, "8"),
    ]


def test_an_unknown_preset_answers_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="soft tissue"):
        window_preset("lung")


@pytest.mark.parametrize(("width", "function"), [(0.5, WindowFunction.LINEAR), (0.0, WindowFunction.SIGMOID), (-3, WindowFunction.LINEAR_EXACT), (float("nan"), WindowFunction.LINEAR)])
def test_a_width_that_the_function_does_not_allow_is_refused(width: float, function: WindowFunction) -> None:
    with pytest.raises(UsageError, match="width"):
        Window(0.0, width, function)


def test_inversion_is_the_complement_and_leaves_values_alone() -> None:
    values = np.array([-100, 40, 200], dtype=np.int16)
    window = Window(40, 80)
    np.testing.assert_array_equal(window.to_grey(values, inverted=True), 255 - window.to_grey(values))
    np.testing.assert_array_equal(values, [-100, 40, 200])


def test_a_not_a_number_is_black() -> None:
    assert Window(40, 80).to_grey(np.array([np.nan]))[0] == 0


def test_the_automatic_window_looks_at_tissue_and_ignores_air() -> None:
    rng = np.random.default_rng(0)
    volume = np.concatenate([rng.rayleigh(5, 90_000), rng.normal(400, 40, 10_000)]).astype(np.float32)
    window = automatic_window(volume)
    low, high = window.limits
    assert low < 300 < 420 < high < 600


def test_the_automatic_window_of_an_empty_picture_is_harmless() -> None:
    assert automatic_window(np.zeros((4, 4, 4), dtype=np.int16)).width > 0

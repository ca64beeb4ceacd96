"""The sample studies in napari's File > Open Sample."""

from __future__ import annotations

from neuraxis.app.layers import LayerData


def capnon() -> list[LayerData]:
    """The CAPNON sample, made once (under a minute) with a progress bar and kept in the user's cache."""
    from napari.utils import progress

    from napari_neuraxis.reading import read_study
    from neuraxis.app.sample import sample_folder, write_sample

    with progress(total=100, desc="Neuraxis: making the sample study") as bar:

        def report(fraction: float, text: str) -> None:
            bar.set_description(f"Neuraxis sample: {text}")
            bar.update(max(0, round(100 * fraction) - bar.n))

        folder = write_sample("capnon", sample_folder("capnon"), report)
    return read_study(str(folder))

"""The sample studies in napari's File > Open Sample."""

from __future__ import annotations

from neuraxis.app.layers import LayerData
from neuraxis.ui.texts import say


def capnon() -> list[LayerData]:
    """The CAPNON sample, made once (under a minute) with a progress bar and kept in the user's cache."""
    from napari.utils import progress

    from napari_neuraxis.reading import read_study
    from neuraxis.app.sample import sample_folder, write_sample

    with progress(total=100, desc=say("sample_data.making")) as bar:

        def report(fraction: float, text: str) -> None:
            bar.set_description(say("sample_data.step", text=text))
            bar.update(max(0, round(100 * fraction) - bar.n))

        folder = write_sample("capnon", sample_folder("capnon"), report)
    return read_study(str(folder))

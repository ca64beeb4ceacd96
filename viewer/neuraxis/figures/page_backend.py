"""A scene as pixels (Agg) and as PDF: both drawn by matplotlib, without a display and without global state."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.figures.scene import POINT_MM, Circle, Item, Line, Picture, Polygon, Scene, Text, text_shape

_RC: Any = {"pdf.fonttype": 42, "pdf.compression": 6, "image.composite_image": False, "path.simplify": False}


def _points(mm: float) -> float:
    return mm / POINT_MM


def _page(scene: Scene, *, type_as_text: bool) -> Any:
    """A matplotlib figure whose data coordinates are page millimetres, y down."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(scene.width_mm / 25.4, scene.height_mm / 25.4), facecolor=scene.background)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width_mm)
    axes.set_ylim(scene.height_mm, 0)
    for order, item in enumerate(scene.items):
        for artist in _artists(axes, item, type_as_text=type_as_text):
            artist.set_zorder(order)
            if not isinstance(item, Picture):
                artist.set_clip_on(False)
    return figure


def _artists(axes: Any, item: Item, *, type_as_text: bool) -> list[Any]:
    from matplotlib.patches import Circle as CirclePatch
    from matplotlib.patches import Polygon as PolygonPatch

    if isinstance(item, Picture):
        return [_image(axes, item)]
    if isinstance(item, Text):
        return _type(axes, item, type_as_text=type_as_text)
    if isinstance(item, Polygon):
        patches: list[Any] = [
            PolygonPatch(
                item.points_mm, closed=True, facecolor=item.outline, edgecolor=item.outline, joinstyle="round",
                linewidth=_points(2 * item.outline_mm),
            ),
            PolygonPatch(item.points_mm, closed=True, facecolor=item.color, linewidth=0),
        ]
    elif isinstance(item, Line):
        return [
            axes.plot(*zip(*item.points_mm, strict=True), color=color, linewidth=_points(width),
                      solid_capstyle="butt" if index else "projecting", solid_joinstyle="round")[0]
            for index, (color, width) in enumerate(((item.halo, item.width_mm + 0.3), (item.color, item.width_mm)))
        ]
    else:
        assert isinstance(item, Circle)
        patches = [
            CirclePatch((item.x_mm, item.y_mm), item.radius_mm, fill=False, edgecolor=color, linewidth=_points(width))
            for color, width in ((item.halo, item.width_mm + 0.3), (item.color, item.width_mm))
        ]
    for patch in patches:
        axes.add_artist(patch)
    return patches


def _image(axes: Any, item: Picture) -> Any:
    from matplotlib.image import AxesImage

    extent = (item.x_mm, item.x_mm + item.width_mm, item.y_mm + item.height_mm, item.y_mm)
    image = AxesImage(axes, extent=extent, origin="upper", interpolation="none")
    image.set_data(item.pixels if item.pixels.ndim == 3 else np.repeat(item.pixels[:, :, None], 3, axis=2))
    axes.add_image(image)
    return image


def _type(axes: Any, item: Text, *, type_as_text: bool) -> list[Any]:
    """Halo as outlines; the type itself as outlines too, or (PDF) as text that can be searched and edited."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    from neuraxis.figures.scene import font_file

    path, width = text_shape(item.text, item.bold)
    if path is None:
        return []
    size = item.size_pt * POINT_MM
    left = item.x_mm - {"left": 0.0, "center": 0.5, "right": 1.0}[item.align] * width * size
    on_page = Affine2D().scale(size, -size).translate(left, item.y_mm).transform_path(path)
    halo = PathPatch(
        on_page, facecolor="none", edgecolor=item.halo, linewidth=item.size_pt * 0.16, joinstyle="round"
    )
    artists: list[Any] = [halo] if item.halo != "none" else []
    if not type_as_text:
        artists.append(PathPatch(on_page, facecolor=item.color, linewidth=0))
    for artist in artists:
        axes.add_artist(artist)
    if type_as_text:
        clean = "".join(c if c.isprintable() else " " for c in item.text)
        artists.append(
            axes.text(
                left, item.y_mm, clean, color=item.color, fontsize=item.size_pt, ha="left", va="baseline",
                fontproperties=FontProperties(fname=font_file(item.bold), size=item.size_pt),
                parse_math=False,
            )
        )
    return artists


def page_pixels(scene: Scene, dpi: int) -> NDArray[np.uint8]:
    """The page as RGB uint8 pixels (rows, columns, 3).

    Panel pictures that have as many pixels as their place on the page are copied, not resampled.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with mpl.rc_context(_RC):
        figure = _page(scene, type_as_text=False)
        figure.set_dpi(dpi)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        rgb: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
    return rgb


def _is_grey(rgb: NDArray[np.uint8]) -> bool:
    return bool((rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all())


def png_bytes(scene: Scene, dpi: int, metadata: dict[str, str]) -> bytes:
    """The page as PNG, grey where it has no colour, with text chunks and resolution."""
    from PIL import Image, PngImagePlugin

    rgb = page_pixels(scene, dpi)
    picture = Image.fromarray(rgb[..., 0] if _is_grey(rgb) else rgb)
    info = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        info.add_itxt(key, value)
    stream = io.BytesIO()
    picture.save(stream, "PNG", pnginfo=info, dpi=(dpi, dpi), compress_level=4)
    return stream.getvalue()


def tiff_bytes(scene: Scene, dpi: int, metadata: dict[str, str]) -> bytes:
    """The page as TIFF (Deflate), grey where it has no colour, with resolution and description."""
    from PIL import Image, TiffImagePlugin

    rgb = page_pixels(scene, dpi)
    picture = Image.fromarray(rgb[..., 0] if _is_grey(rgb) else rgb)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = json.dumps(metadata, ensure_ascii=True, sort_keys=True)
    tags[305] = metadata.get("Software", "")
    stream = io.BytesIO()
    picture.save(stream, "TIFF", compression="tiff_adobe_deflate", dpi=(dpi, dpi), tiffinfo=tags)
    return stream.getvalue()


def pdf_bytes(scene: Scene, metadata: dict[str, str]) -> bytes:
    """The page as PDF: pictures at their own resolution, type, arrows and bars as vectors, no dates."""
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    info = {
        "Title": metadata.get("Title", ""), "Subject": metadata.get("Description", ""),
        "Keywords": metadata.get("Provenance", ""), "Creator": metadata.get("Software", ""),
        "Producer": metadata.get("Software", ""), "CreationDate": None,
    }
    stream = io.BytesIO()
    with mpl.rc_context(_RC):
        figure = _page(scene, type_as_text=True)
        canvas: Any = FigureCanvasPdf(figure)
        canvas.print_pdf(stream, metadata=info)
    return stream.getvalue()

"""Puts a lesion into an anatomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuraxis_phantom.anatomy import Anatomy, Scene, changed_box
from neuraxis_phantom.head import Head, crop_layers, model_from_anatomy
from neuraxis_phantom.lesions import Lesion
from neuraxis_phantom.place import PlacedLesion, calcified_spots, deform, indentation, settle


def build_scene(lesion: Lesion, seed: int, anatomy: Anatomy | None = None) -> Scene:
    """The lesion in a head: of its own seed, or in the `anatomy` given. `seed` also draws the calcified spots."""
    anatomy = anatomy or Anatomy(seed)
    centre = model_from_anatomy().apply(np.asarray(lesion.centre()))
    placed = settle(anatomy.head, PlacedLesion(lesion, centre, calcified_spots(lesion, seed)))
    if lesion.compartment != "intra_axial":
        placed = replace(placed, indentation_mm=indentation(anatomy.head, placed))
    fields = dict(anatomy.fields)
    deform(fields, placed)
    changed = {name: values for name, values in fields.items() if values is not anatomy.fields.get(name)}
    head = Head({**anatomy.head.layers, **crop_layers(changed)}, anatomy.head.origin, anatomy.head.step)
    low, high = changed_box(anatomy.fields, fields, placed)
    return Scene(anatomy, head, placed, low, high)

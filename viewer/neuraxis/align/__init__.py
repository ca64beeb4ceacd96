"""Rigid registration, resampling and planes: how voxels of different grids and frames of reference meet."""

from neuraxis.align.planes import EdgeLetters, Plane, Projection, sample_plane
from neuraxis.align.registration import RegistrationCancelledError, RegistrationFailedError, register
from neuraxis.align.resampling import resample
from neuraxis.align.sampling import Interpolation

__all__ = [
    "EdgeLetters",
    "Interpolation",
    "Plane",
    "Projection",
    "RegistrationCancelledError",
    "RegistrationFailedError",
    "register",
    "resample",
    "sample_plane",
]

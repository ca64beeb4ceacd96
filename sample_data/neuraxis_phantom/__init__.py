"""A digital head with lesions, imaged by forward models of CT and MR, written as DICOM with known truth."""

from neuraxis_phantom.lesions import Lesion
from neuraxis_phantom.study import case_names, case_parameters, write_case

__all__ = ["Lesion", "case_names", "case_parameters", "write_case"]

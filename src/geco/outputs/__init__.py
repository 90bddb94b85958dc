"""What a command will write, settled before any work: no input, nothing foreign, nothing twice."""

from geco.outputs.guard import Guard, check_file, check_folder
from geco.outputs.plan import MESH_SUFFIXES, TURNTABLE_SUFFIXES, Job, Output, Wanted, beside, plan

__all__ = [
    "MESH_SUFFIXES",
    "TURNTABLE_SUFFIXES",
    "Guard",
    "Job",
    "Output",
    "Wanted",
    "beside",
    "check_file",
    "check_folder",
    "plan",
]

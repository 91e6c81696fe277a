"""Ready the frames: undo head motion, outline the brain, give all voxels one even clock, reduce noise."""

from bolus.prepare.brain import find_brain
from bolus.prepare.field import find_field
from bolus.prepare.filters import METHODS, Smoother, smooth
from bolus.prepare.levels import Levels, find_levels
from bolus.prepare.motion import correct_motion
from bolus.prepare.run_motion import correct_run_motion
from bolus.prepare.timegrid import even_grid

__all__ = [
    "METHODS",
    "Levels",
    "Smoother",
    "correct_motion",
    "correct_run_motion",
    "even_grid",
    "find_brain",
    "find_field",
    "find_levels",
    "smooth",
]

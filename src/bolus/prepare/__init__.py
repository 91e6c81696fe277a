"""Ready the frames: undo head motion, outline the brain, give all voxels one even clock, reduce noise."""

from bolus.prepare.brain import find_brain
from bolus.prepare.filters import METHODS, Smoother, smooth
from bolus.prepare.motion import correct_motion
from bolus.prepare.timegrid import even_grid

__all__ = ["METHODS", "Smoother", "correct_motion", "even_grid", "find_brain", "smooth"]

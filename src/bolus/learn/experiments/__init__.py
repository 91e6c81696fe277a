"""The experiments of the papers, made again on cases with known truth.

`EXPERIMENTS` has them by task. The numbers that a paper prints stand beside ours and are never presented as
reproduced: its patients are not open.
"""

from bolus.learn.experiments.bench import Bench, Finished
from bolus.learn.experiments.run import EXPERIMENTS, NEEDS_NETWORK, conduct

__all__ = ["EXPERIMENTS", "NEEDS_NETWORK", "Bench", "Finished", "conduct"]

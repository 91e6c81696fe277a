"""The four experiments of the perfusion DSA paper, made again on cases with known truth.

Marc et al., "Automatic Cerebral Perfusion Imaging using Deep Learning for DSA", Erasmus MC (2023): what
augmentation gains, how many patients and which learning rate it takes, what the largest component does to
the masks, and how far maps made with the network's mask are from those made with the true one. The numbers
that the paper prints stand beside ours and are never presented as reproduced: its patients are not open.
"""

from bolus.learn.experiments.bench import Bench, Finished
from bolus.learn.experiments.run import EXPERIMENTS, NEEDS_NETWORK, conduct

__all__ = ["EXPERIMENTS", "NEEDS_NETWORK", "Bench", "Finished", "conduct"]

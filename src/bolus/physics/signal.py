"""Scanner signal to contrast and back."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Float32s, Floats


def delta_r2star(signal: Floats, baseline: Floats, te_s: float, *, floor: float = 1e-6) -> Float32s:
    """Convert T2*-weighted signal to the change of relaxation rate, ``-ln(S / S0) / TE``.

    Parameters
    ----------
    signal
        Shape `(voxels, t)`, any unit.
    baseline
        Signal before contrast S0, shape `(voxels, 1)` or broadcastable, same unit.
    te_s
        Echo time [s].
    floor
        Signal below this counts as this, so that noise cannot give an infinite rate.

    Returns
    -------
    dR2* [1/s], shape of `signal`.

    References
    ----------
    Rosen et al., Magn Reson Med 14:249-265 (1990), doi:10.1002/mrm.1910140211
    """
    ratio = np.maximum(signal, floor) / np.maximum(baseline, floor)
    return (-np.log(ratio) / te_s).astype(np.float32)


def signal_from_delta_r2star(rate: Floats, baseline: Floats, te_s: float) -> Floats:
    """Convert a change of relaxation rate [1/s] to signal, ``S0 exp(-TE dR2*)``."""
    signal: Floats = baseline * np.exp(-te_s * rate)
    return signal


def delta_r2star_dual_echo(
    first: Floats,
    second: Floats,
    first_baseline: Floats,
    second_baseline: Floats,
    echoes_s: tuple[float, float],
) -> Float32s:
    """Convert two echoes to the change of relaxation rate, free of T1 effects.

    Parameters
    ----------
    first, second
        Signal of the earlier and the later echo, same shape `(..., t)`.
    first_baseline, second_baseline
        Their pre-contrast signals, broadcastable.
    echoes_s
        The two echo times [s].

    Returns
    -------
    dR2* [1/s].

    References
    ----------
    Miyati et al., J Magn Reson Imaging 7:230-235 (1997), doi:10.1002/jmri.1880070136
    """
    change = np.log(first / second) - np.log(first_baseline / second_baseline)
    return (change / (echoes_s[1] - echoes_s[0])).astype(np.float32)

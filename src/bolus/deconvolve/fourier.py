"""Block-circulant convolution in Fourier form.

Zero-padded to twice its length, the arterial curve `a` makes a circulant matrix
``A[i, j] = dt * a[(i - j) mod L]``, `L = 2 t`. The discrete Fourier transform diagonalises it: its
eigenvalues are ``lambda_m = dt * sum_n a_n exp(-2 pi i m n / L)``, and because it is normal its singular
values are `|lambda_m|`, each bin between the first and the last counting twice. Dropping small singular
values is therefore dropping frequencies, and no singular value decomposition is ever needed.

Gall et al., MAGMA 23:187-197 (2010), doi:10.1007/s10334-010-0217-8; tests compare with the dense form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s

Lags: TypeAlias = NDArray[np.intp]
"""Lags, counted in steps of time; negative where tissue leads the artery."""
Spectrum: TypeAlias = NDArray[np.complex128]
"""One complex number a frequency from 0 to Nyquist, shape `(t + 1,)`."""

_TIE: Final = 1e-9
"""Singular values this near the threshold, as a fraction of the largest, count as kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Circulant:
    """Spectrum of the block-circulant matrix of one arterial curve.

    Parameters
    ----------
    eigenvalues
        `lambda_m` [unit of the curve times s], shape `(t + 1,)`.
    n_frames
        Samples of a curve, t.
    """

    eigenvalues: Spectrum
    n_frames: int

    @classmethod
    def of(cls, aif: Float64s, dt: float) -> Circulant:
        """Transform an arterial curve `(t,)` sampled every `dt` seconds."""
        return cls(dt * np.fft.rfft(aif, 2 * aif.size), aif.size)

    @property
    def n_lags(self) -> int:
        """Length L of the padded curves."""
        return 2 * self.n_frames

    @property
    def singular_values(self) -> Float64s:
        """Singular value of each bin, shape `(t + 1,)`; inner bins hold theirs twice."""
        return np.abs(self.eigenvalues)

    def kept(self, cutoff: float) -> NDArray[np.bool_]:
        """Mark the bins whose singular value reaches a fraction of the largest, shape `(t + 1,)`."""
        values = self.singular_values
        return np.asarray(values >= (cutoff - _TIE) * values.max())

    def filtered_inverse(self, gains: Spectrum, lags: Lags, fold: int = 1) -> Float64s:
        """Return the real matrix that takes a curve `(t,)` to its residue at some lags.

        Parameters
        ----------
        gains
            What each bin of the curve is multiplied with, shape `(t + 1,)`.
        lags
            In frames over `fold`, shape `(lags,)`.
        fold
            Lags a frame. The residue holds no frequency above the curve's, so that its values between
            frames are exact.

        Returns
        -------
        Shape `(lags, t)`.
        """
        padded = np.zeros(fold * self.n_frames + 1, dtype=np.complex128)
        padded[: gains.size] = gains * fold
        if fold > 1:
            padded[gains.size - 1] *= 0.5  # the last bin of a short transform is one of two in a long one
        response = np.fft.irfft(padded, fold * self.n_lags)
        shifts = lags[:, None] - fold * np.arange(self.n_frames)
        matrix: Float64s = response[shifts % response.size]
        return matrix


def inverse_where(eigenvalues: Spectrum, kept: NDArray[np.bool_]) -> Spectrum:
    """Return `1 / lambda` in kept bins and 0 elsewhere, shape `(t + 1,)`."""
    gains = np.zeros_like(eigenvalues)
    gains[kept] = 1.0 / eigenvalues[kept]
    return gains

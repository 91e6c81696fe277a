import numpy as np
import pytest

from bolus.physics.signal import delta_r2star, delta_r2star_dual_echo, signal_from_delta_r2star

RATE = np.array([[0.0, 5.0, 20.0, -3.0]])


def test_signal_and_rate_are_inverse():
    signal = signal_from_delta_r2star(RATE, np.array([[800.0]]), 0.03)

    np.testing.assert_allclose(delta_r2star(signal, np.array([[800.0]]), 0.03), RATE, atol=1e-4)


def test_a_signal_loss_is_a_positive_rate():
    assert delta_r2star(np.array([[50.0]]), np.array([[100.0]]), 0.03)[0, 0] == pytest.approx(
        np.log(2) / 0.03
    )


@pytest.mark.parametrize("signal", [0.0, -4.0])
def test_a_vanished_signal_gives_a_finite_rate(signal):
    assert np.isfinite(delta_r2star(np.array([[signal]]), np.array([[100.0]]), 0.03)).all()


def test_two_echoes_cancel_enhancement():
    enhancement = np.array([[1.0, 1.4, 1.8, 1.2]])
    first, second = (900 * enhancement * np.exp(-te * (12 + RATE)) for te in (0.002, 0.03))

    found = delta_r2star_dual_echo(first, second, first[:, :1], second[:, :1], (0.002, 0.03))

    np.testing.assert_allclose(found, RATE, atol=1e-4)

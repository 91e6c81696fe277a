"""Fixtures that several folders of tests share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference data made by others, which lies beside the project on some machines."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"reference data are not on this machine: {SHARED_DATA} is absent")
    return SHARED_DATA

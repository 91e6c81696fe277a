"""What a whole run takes of the machine's memory: imports, reading and report included."""

import subprocess
import sys
from pathlib import Path

import pytest

from bolus import phantom

SHAPE, N_FRAMES = (256, 256, 16), 60
SERIES_BYTES = 4 * 256 * 256 * 16 * N_FRAMES
GOAL = 3.0
"""Peak resident memory over the series as float32; when written, 2.7 without and 2.8 with motion."""
# not getrusage, whose maximum begins with what the parent had: pytest may hold more than the run does
CHILD = """
from bolus.apps.cli import main
try:
    main()
finally:
    print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> None:
    """Compile what numba compiles: that takes 110 MiB, once after every installation."""
    folder = tmp_path_factory.mktemp("compiled")
    phantom.write_study(
        phantom.ct(phantom.CtOptions(shape=(128, 128, 8), noise_hu=3.0, motion=True)), folder / "study"
    )
    run(folder / "study" / "dicom", folder / "out")


def run(study: Path, out: Path) -> float:
    """Return the peak memory of the command [bytes]."""
    command = [sys.executable, "-c", CHILD, "run", str(study), "-o", str(out), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return 1024.0 * int(done.stdout.split()[-1])


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    options = phantom.CtOptions(shape=SHAPE, n_frames=N_FRAMES, motion=True)
    phantom.write_study(phantom.ct(options), folder / "study")
    return folder / "study" / "dicom"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_run_takes_at_most_three_times_its_series(compiled, study, tmp_path) -> None:
    # with motion correction, which holds one more series than a run without
    assert run(study, tmp_path / "out") / SERIES_BYTES <= GOAL


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_an_x_ray_run_takes_at_most_three_times_its_frames(tmp_path) -> None:
    """Against a tiny run, which takes what programs and the network take: 182 MiB and 50 MiB."""
    peaks, sizes = [], []
    for pixels in (128, 1024):
        made = phantom.xa(size=pixels, seed=2, fps=3.0, duration_s=13.0)
        sizes.append(4 * made.views["LAT"].series.frames.size)
        phantom.write_study(made, tmp_path / str(pixels))
        del made
        peaks.append(run(tmp_path / str(pixels) / "dicom" / "LAT.dcm", tmp_path / f"out{pixels}"))
    assert (peaks[1] - peaks[0]) / (sizes[1] - sizes[0]) <= GOAL


def test_heavy_packages_are_imported_only_where_they_are_used() -> None:
    code = "import sys, bolus; bolus.load, bolus.run, bolus.write; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"SimpleITK", "matplotlib", "scipy.stats"} & set(loaded.stdout.split())

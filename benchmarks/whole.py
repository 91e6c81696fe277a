"""The whole run: a simulated CT perfusion study from DICOM to report, stage by stage, and its peak memory."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bolus import phantom

_CHILD = """
import json, resource, sys, time
start = time.perf_counter()
from bolus import Recipe, load, run, write
series = load(sys.argv[1])
loaded = time.perf_counter()
result = run(series, Recipe(motion=sys.argv[3]))
write(result, sys.argv[2])
seconds = {"import and read": loaded - start, **result.timings_s}
seconds["all"] = time.perf_counter() - start
float32 = 4 * series.frames.size
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
if sys.platform == "linux":  # there a child's maximum begins with what its parent had
    peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps([seconds, peak, float32]))
"""


def run() -> list[dict[str, object]]:
    """Return a row a stage: seconds without and with motion correction, 256 x 256 x 16 x 60."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        phantom.write_study(phantom.ct(phantom.CtOptions(n_frames=60, motion=True)), study)
        arms = [_measure(study / "dicom", Path(folder) / motion, motion) for motion in ("none", "rigid")]
    stages = list(arms[1][0])
    rows: list[dict[str, object]] = [
        {"stage": s, "no motion [s]": arms[0][0].get(s, 0.0), "motion [s]": arms[1][0][s]} for s in stages
    ]
    rows.append({"stage": "peak memory / float32 series", **_ratios(arms)})
    return rows


def _measure(study: Path, out: Path, motion: str) -> tuple[dict[str, float], float, float]:
    command = [sys.executable, "-c", _CHILD, str(study), str(out), motion]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak, float32 = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak, float32


def _ratios(arms: list[tuple[dict[str, float], float, float]]) -> dict[str, float]:
    return {"no motion [s]": arms[0][1] / arms[0][2], "motion [s]": arms[1][1] / arms[1][2]}

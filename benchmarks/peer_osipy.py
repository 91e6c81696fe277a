"""Run one method of osipy on given curves; its own interpreter runs this, so nothing of bolus is imported.

python peer_osipy.py METHOD GIVEN.npz RESULT.npz
"""

import sys
from importlib.metadata import version
from time import perf_counter, process_time

import numpy as np
from osipy.dsc.parameters import compute_perfusion_maps

N_REPEATS = 3


def main(method: str, given: str, result: str) -> None:
    """Write CBF, MTT and Tmax of every case, and the least seconds (wall, processor) of the timed curves."""
    with np.load(given) as file:
        curves = {name: file[name] for name in file.files}
    times, aif, timed = curves.pop("times"), curves.pop("aif"), curves.pop("timed")

    def maps(rows):
        # volumes only; density and ratio of haematocrits 1, as the curves are made
        volumes = rows.reshape(len(rows), 1, 1, -1)
        return compute_perfusion_maps(
            volumes, aif, times, deconvolution_method=method, density=1.0, hematocrit_ratio=1.0
        )

    kept = {}
    for case, rows in curves.items():
        made = maps(rows)
        for name, found in (("CBF", made.cbf), ("MTT", made.mtt), ("Tmax", made.tmax)):
            kept[f"{case}/{name}"] = np.ravel(found.values)
    taken = []
    for _ in range(N_REPEATS):
        wall, processor = perf_counter(), process_time()
        maps(timed)
        taken.append((perf_counter() - wall, process_time() - processor))
    np.savez(result, version=version("osipy"), taken=np.min(taken, axis=0), **kept)


if __name__ == "__main__":
    main(*sys.argv[1:])

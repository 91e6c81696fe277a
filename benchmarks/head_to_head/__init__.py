"""Every map method, networks and physics, on the same simulated patients: see `__main__`."""

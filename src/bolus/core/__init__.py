"""What things are: errors, units, geometry, series, curves, maps, lesions, results. Numpy only."""

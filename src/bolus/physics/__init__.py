"""Formulas on bare arrays: curve families, transport, signal and noise. No files, no images."""

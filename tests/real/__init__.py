"""Probes against the real programs whose stores they read."""

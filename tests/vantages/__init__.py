"""Tests of probes that others make."""

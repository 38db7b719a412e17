"""Tests of what an installer would choose."""

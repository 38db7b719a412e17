"""Tests of the embedded world: it must be as real as what it stands for."""

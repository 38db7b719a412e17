"""The experiment behind the behaviour data: predict, play on real programs, compare."""

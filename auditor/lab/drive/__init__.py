"""Plays the incident on real programs, and holds the audit against what a client and a disk say."""

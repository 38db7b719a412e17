"""Incidents that happened: index pages as they were around each step."""

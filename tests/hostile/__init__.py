"""Servers that lie, stall, flood and break off, and what an audit makes of each."""

"""The configuration file, read strictly: every problem at once, each with its line."""

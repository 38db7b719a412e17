"""The built-in kinds of location, one module each."""

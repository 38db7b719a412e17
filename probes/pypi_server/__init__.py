"""What the kind `pypiserver` knows of that server."""

"""The embedded world: a small PyPI and the places around it, played on real sockets."""

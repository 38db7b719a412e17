"""The cache of PDM: one SQLite database of HTTP answers, and what PDM made of them.

http/http-cache.db           answers, bodies in chunks, as hishel 1.x stores them
packages/<wheel>.cache/      unpacked wheels, where `install.cache` is on
wheels/aa/bb/cc/<rest>/      wheels that were built here
metadata/, hashes/           what was learnt of releases; no bytes of them
"""

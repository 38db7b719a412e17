"""Stores of HTTP answers that the CacheControl library writes: pip's cache, and Poetry's.

`entry` knows the format, `disk` reads without leaving a trace, `content` recognises a project's
files, `pages` its index pages, `scan` walks a whole store, `holdings` tells of what it found.
Nothing here knows whose store it is.
"""

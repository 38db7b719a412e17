"""What the caches of pip, uv, Poetry and PDM have in common: whose they are and how to report them.

`home` opens each directory that a path or a pattern names, `observing` makes one observation of
all of them; `stored` tells of stores of HTTP answers, `unpacked` and `installed` of releases that
lie unpacked, `walk` goes through a directory. How a cache is laid out is known by the package of
its client alone.
"""

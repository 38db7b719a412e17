"""The cache of uv: buckets with a number each, which uv raises whenever it changes their layout.

`buckets` knows the numbers that were met on real versions, `pointers` what leads to an unpacked
wheel, `archives` the unpacked wheels themselves, `sources` source archives and what was built from
them, `rkyv`, `policy` and `pages` the index pages. What has an unknown number is looked through all
the same, and never called clean.
"""

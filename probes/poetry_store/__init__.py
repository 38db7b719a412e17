"""The cache of Poetry, which keeps the same release in several places that no command clears alike.

cache/repositories/<source>/_http_/…     index pages, as CacheControl stores them
cache/repositories/<source>/10/51/…      descriptions of releases, which never expire
artifacts/26/06/b6/<hash>/<file>         wheels and source archives under their own names
virtualenvs/<name>/                      environments
"""

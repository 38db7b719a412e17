"""What every probe is made with, third-party ones included.

`session.GuardedSession` is the one way to talk to a server: it passes the request guard, takes a
slot of the host, writes the ledger and bounds everything. `index.IndexReader` reads an index as
each client class sees it, `pages.parse_page` a page, `disk` and `distribution` what lies on disk;
`evidence.EvidenceRecorder` keeps the proof, and `conclusion.conclude` makes the observation.
"""

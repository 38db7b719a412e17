"""Probes as tasks: a queue per vantage, for companies that already run Celery.

The coordinator (`asking`) runs the very audit of one machine; only that each probe is a question on
the queue of its vantage. A worker there (`worker`) looks, and answers with the observation. What
travels is JSON and bounded; secrets do not travel at all.
"""

"""Figures of a running gateway for Prometheus: what is counted, and how it is written.

Belongs here: figures.py counts, outside_calls.py counts plugins' calls, exposition.py writes, listener.py serves them
without the Core API. Does not: telemetry of proxies and clients, which is kept (tally.py, store/telemetry.py).
"""

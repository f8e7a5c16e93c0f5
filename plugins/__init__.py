"""The built-in plugins, imported as `rrgate_plugins`: auth types, rule checks, injection, limits, filters, meters, retries.

Nothing of the gateway's core belongs here; a plugin imports rrgate.api and nothing else of rrgate.
"""

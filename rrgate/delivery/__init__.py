"""The Async API: requests that are taken once, kept on disk, and delivered or accounted for (gateway-api.md 10).

Belongs here: the queue, its states, who delivers and when. Does not: what a request is judged by (the pipeline and
plugins), how it is sent (wire/), when an attempt is worth repeating (a plugin's `next_attempt`).
"""

"""WebSockets (RFC 6455): the request that opens one, and what is relayed once it is open.

Belongs here: handshake.py (the opening), stream.py (a connection that is no longer HTTP), side.py (frames of one side),
relay.py (from one side to the other). Does not: bytes of HTTP, and connections themselves (wire/).
"""

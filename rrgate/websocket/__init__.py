"""WebSockets (RFC 6455): the request that opens one, and what is relayed once it is open.

Belongs here: handshake.py (what a caller asks for), slots.py (how many there may be), opening.py (from the target's 101
to the log), stream.py (a connection that is no longer HTTP), side.py (frames of one side), relay.py (from one side to
the other). Does not: bytes of HTTP, and connections themselves (wire/).
"""

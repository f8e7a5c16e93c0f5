"""HTTP/1.1 on the wire: bytes to Exchange and back, on both sides, and the connections they travel on.

Belongs here: parsing, framing, connections, addresses dialled. Does not: any judgement of who may do what.
"""

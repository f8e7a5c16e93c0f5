"""`make bench`: what a request costs, beside nginx doing the same job in the same run.

Belongs here: measuring. Does not: tests, which never time anything.
"""

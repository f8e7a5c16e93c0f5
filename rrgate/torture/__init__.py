"""`rrgate torture`: a gateway that is killed at random moments under load, and what became of each request it took.

Belongs here: the load, the target that writes down what arrives, the kills, and the judgement. Does not: anything that
a gateway needs. What it watches with is the standard library's alone: it shares no code with what it judges.
"""

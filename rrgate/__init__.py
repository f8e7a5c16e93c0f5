"""rrgate, a credential gateway on Twisted. Here stands the version and nothing else.

Start reading at gateway.py, which builds everything, or at pipeline.py, which is one whole request.
Plugin authors import rrgate.api, hosts rrgate.embedding; everything else is the gateway's own and may change.
"""

__version__ = "0.1.0"

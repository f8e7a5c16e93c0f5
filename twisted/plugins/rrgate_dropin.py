"""What makes `twistd rrgate` exist: twistd finds services by the modules in this folder, and only by them.

The options and the service itself are in rrgate/service.py. No `__init__.py` may stand in this folder or above it.
"""

from twisted.application.service import ServiceMaker

rrgate = ServiceMaker("rrgate", "rrgate.service", "Credential gateway: proxy, delivery queue and Core API.", "rrgate")

"""A command of a shell that is a fork of what has imported the project (forks.py).

    python -IS forked_command.py ADDRESS SCRIPT ARGUMENT...     (the scripts that `forks.commands` makes run it)

Belongs here: asking for the fork with the shell's own files, and being its process for the shell: signals go to it, its
end is this one's. Does not: anything that has to be imported, which would take longer than all else.
"""

import os
import signal
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket

_, address, script, *arguments = sys.argv
if os.path.basename(script) == "python":
    if not (arguments and arguments[0].endswith(".py")):
        os.execv(script, [script, *arguments])
    script, *arguments = arguments
wanted = {"script": script, "arguments": arguments, "cwd": os.getcwd(), "environ": dict(os.environ)}
asked = socket(AF_UNIX, SOCK_SEQPACKET)
asked.connect(f"\0{address}")
files = b"".join(each.to_bytes(4, sys.byteorder) for each in range(3))
asked.sendmsg([os.fsencode(repr(wanted))], [(SOL_SOCKET, SCM_RIGHTS, files)])
pid = int(asked.recv(100))
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: os.kill(pid, number))
status = int(asked.recv(100))
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)

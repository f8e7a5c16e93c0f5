"""Several processes on one state: a parent that supervises, and workers that are a gateway each.

    service.py     what twistd runs in the parent: sockets, signals, the supervisor
    supervisor.py  who is started, replaced, retired; crew.py: a worker as the parent sees it
    leading.py     which of them makes changes
    ledger.py      changes, from their announcement until every worker has confirmed them
    launching.py   starting processes; sockets.py: listening sockets, bound here and adopted there
    channel.py     the messages between parent and worker
    main.py        a worker's process; member.py: what its gateway asks of its node
    following.py   a worker takes over what another has changed; changing.py: the one that changes it
    sharing.py     how many connections each has; retiring.py: the end of a worker that nobody is to notice

Belongs here: whatever exists only because there are several processes. Does not: anything of a request.
"""

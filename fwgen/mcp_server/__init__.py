"""fwgen for agents: a server of the Model Context Protocol (MCP), on the official SDK.

Whoever edits with an agent has a model already. Here it gets boards, registers, encodings, the
machine and the rig as tools: *its* model emits the machine code, fwgen proves it. What an agent
sends is trusted like what a remote model answers, which is not at all: it is linked here and runs
in a confined worker. What writes to a board asks the person at the client.

    server.py      the server, over stdio or HTTP on this computer
    workshop.py    what it keeps: firmware by its hash, traces; files that may be read
    work.py        long work: progress, an end when the client cancels
    facts.py       tools: boards, registers, encodings
    contracts.py   tools: contracts, the guide to emitting
    proving.py     tools: verify, explain, run, traces, save
    rigs.py        tools: what is plugged in, doctor
    flashing.py    tools that write to a board, and the question before
    resources.py, prompts.py

Importing this package costs nothing; the SDK is loaded by its modules.
"""

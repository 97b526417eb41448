"""Scoring: tasks by boards by models by samples, on any ``concurrent.futures.Executor``.

    task       a folder: the prompt, the contract that judges it, where the idea is from
    cell       one task, board, model and sample: what is tried, as plain data
    trial      tries one cell, in whatever process it happens to be; gives a Record
    ledger     the folder of a score: every Record as it came, in JSON Lines; its lock
    sweep      the cells that are still to do, handed to an executor
    pool       processes of this computer that end with us
    summary    pass@1, pass@k and the rest, out of Records
    compare    what changed between two scores

The contract that judges is the task's own, never one that the scored model states.
"""

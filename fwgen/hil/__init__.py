"""Hardware in the loop: tests that flash a board and hold what it does against a contract.

place    a rig that stays open: its board, console, wires; a bench for any contract
board    what a test has of it: flash, press, send, and what its pins and console do
claims   what a test asks, and the answer: true, false, or an error where nobody can tell
needs    what a test needs of a rig, and why a rig cannot do it
cases    folders with a firmware and its contract, as tests
results  what came of it, over many runs: JUnit XML
page     the same as one HTML page

``fwgen.pytest_plugin`` makes fixtures of it. Nothing here is loaded before a rig is asked for.
"""

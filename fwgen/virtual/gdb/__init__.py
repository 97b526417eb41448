"""gdb's remote protocol on the machine itself, without a probe between: nothing is approximate.

While the core is halted the whole board stands still, so that the same commands give the same
values every time.

Source: "Debugging with GDB", appendix E (remote serial protocol), G (target descriptions).
"""

from fwgen.virtual.gdb.server import GdbServer

__all__ = ["GdbServer"]

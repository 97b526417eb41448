"""The composer: machine code for what a sentence means, out of blocks that are proven one by one."""

from fwgen.model.embedded.compose.composer import Choice, Plan, compose, plan

__all__ = ["Choice", "Plan", "compose", "plan"]

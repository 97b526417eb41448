"""The composer: machine code for what a sentence means, out of blocks each proven alone."""

from fwgen.model.embedded.compose.composer import Choice, Plan, compose, plan

__all__ = ["Choice", "Plan", "compose", "plan"]

"""Blocks: each knows one way to do one kind of job, and proves itself alone in the machine."""

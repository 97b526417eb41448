"""The real board: probes, identity, flashing, backups, and what is wrong when they fail.

probes       which debug probes are plugged in, and which one is meant
connection   a session with one of them; every failure in words
identity     which chip it is; the wrong one is refused before anything is written
targets      pyocd's targets, and ours for the chips that pyocd lacks
algorithms   what runs in the chip's RAM to erase and program its flash
flash        an image onto the board: erase what must be, program, read back, compare
backup       what was on the chip before, kept, and put back
doctor       what stands between this computer and the board

``pyocd`` takes a second to import: it is imported where it is used.
"""

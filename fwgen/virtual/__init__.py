"""The machine behind cables: what a debug probe and a serial port show of a board."""

"""Buses between the chip and parts on the board: what a part sees of one, whoever drives it.

A part is told whole bytes while a port of the chip drives the bus and nobody else is on it, and
listens to edges otherwise: firmware that moves the pins by itself, two chips on one wire.
"""

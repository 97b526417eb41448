"""From what a model emits to a firmware.

emission, wire     what a model gives, and that as JSON
link, problems     placing and filling it, and everything that can be wrong with it
types              Image, Listing
load, write        .hex, .bin, .elf in and out; elf, dwarf
listing            the annotated listing; disassemble makes one for an image without
"""

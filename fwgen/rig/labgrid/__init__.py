"""A board in a farm: labgrid reserves it, we flash it and listen to it over the network.

lease    our side: a place is borrowed, and given back whatever happens
agent    labgrid's side: a program that its own Python runs, in its own environment
driver   for who starts from labgrid: a resource class and a driver, for that environment, too

labgrid brings a pyserial of its own that overwrites ours: the two are never in one environment.
"""

"""Logs followed from a checkpoint, and delivered: one follower for all destinations.

A destination is a module with one small class (`destination.py` tells what it must do); what it
refuses for good goes to a file of dead letters, all else is tried again.
"""

"""Puts this folder on the path: what tests of several rooms share lies here."""

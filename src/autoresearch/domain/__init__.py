"""The domain: what a study is and what follows from its record.

Nothing here performs I/O, reads a clock or draws from a global source of randomness: time and seeds are arguments.
"""

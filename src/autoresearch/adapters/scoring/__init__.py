"""Scorers: trusted code that turns a run's artifacts, or its own words, into numbers."""

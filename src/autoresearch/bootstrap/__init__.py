"""Bootstrap: the only place that knows concrete classes.

It puts a study's parts together and hands them to whoever asks.
"""

"""Results files of this ecosystem: read as a neutral log or as events, written from either.

Pure text in, data out, and back; nothing here opens a file or a ledger.
"""

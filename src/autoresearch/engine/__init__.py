"""The engine: asks `plan` what is due, claims a step, performs it through the ports, records, and asks again.

It knows no concrete adapter; `bootstrap` hands them in.
"""

"""Runs on this machine: sandboxes, limits held from outside, the log. The program under trial is never trusted here."""

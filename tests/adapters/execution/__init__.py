"""Tests of the execution adapter, with real processes."""

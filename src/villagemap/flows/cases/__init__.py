"""Flows about single issues: take them in, look at them, act on them, prove what was done."""

"""Flows about how towns stand: scores, meetings, any earlier moment."""

"""Flows about inspection routes: roads, plans, draws, seals, what lies along the way."""

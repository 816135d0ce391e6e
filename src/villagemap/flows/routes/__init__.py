"""Flows about inspection routes: the roads that they are driven on, requests, plans, draws."""

"""Flows of routes: roads, plans, draws."""

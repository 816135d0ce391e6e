"""Flows about sweeps: begin one, visit with proof, see who is missed, close it."""

"""Flows that keep a workspace whole: verify, back up, restore, snapshot."""

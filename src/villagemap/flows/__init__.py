"""What the system does, one short function for each flow; the only rooms that hold a store and an actor together."""

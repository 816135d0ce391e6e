"""The command line: a door that calls flows and prints what they return."""

"""From a problem and a matrix to a plan: timing (`schedule`), grouping (`nodes`), solving, bounds."""

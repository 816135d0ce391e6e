"""Files from strangers → rows of text and what is known of them.

`sandbox.open_table` is the way in: the file is copied, counted and sniffed here, and parsed in a child process
with limits. What runs only there: `child`, `tables`, `geofiles`, `archives`.
"""

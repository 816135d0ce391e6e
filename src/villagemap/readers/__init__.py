"""Files from strangers → rows of text and what is known of them.

`sandbox.open_table` is the way in: the file is copied, counted and sniffed here, and parsed in a child process
with limits; `pictures.read_photo` does the same for photos, `tracks.read_track` for tracks. What runs only there:
`child`, `tables`, `geofiles`, `archives`, `gpx`, `picture_parts`, `exif`.
"""

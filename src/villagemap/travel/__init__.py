"""How long and how far it is between places: along roads, as the crow flies, or as somebody says.

`line` estimates, `given` reads a person's own figures. Roads: `lines` come in (from an OSM extract, whose nodes are
shared, or from a bureau's drawing, which `noding` joins), `graph` holds them as edges between junctions, `snapping` and
`cutting` put stops and closures on them, `reducing` leaves out what no way needs, `ways` measures, `paths` draws.
"""

"""The HTTP door: OGC-like collections, map tiles, issue cards, pages. Routes call flows and nothing below them."""

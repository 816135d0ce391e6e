"""A plan to take along: values in, bytes out. `view` says what a sheet is made of; each other module is one format.

``pdf`` (A4 route sheets and check sheets), ``workbook`` (XLSX), ``gpx``, ``kml``, ``geojson``, and ``message`` (a text
to copy, with the links of ``amap``). Everything takes a `PlanView`: one team's day is ``view.only(team, day)``.
"""

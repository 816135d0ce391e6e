// The routes on the map that Folium framed: lines by team and day, stops, depots; one chosen, the others dimmed.
import { page } from "./page.js";
import { addBasemap, addCaption, labelToggle, labelZoom } from "./controls.js";
import { addPanes, drawCounty, drawNames, drawVillages, placeLayerName } from "./places.js";
import { dayDash } from "./route-looks.js";
import { declutterStops, depotMark, leftMark, stopMark } from "./route-marks.js";

const DIMMED = 0.22;
const NAMES_ZOOM = 12;

export class RoutesOnMap {
  constructor(frame, acts) {
    this.frame = frame;
    this.map = frame.map;
    this.acts = acts;
    this.lines = L.layerGroup().addTo(this.map);
    this.points = L.layerGroup().addTo(this.map);
    this.paths = new Map();
    this.routeLines = [];
    this.marks = [];
    this.covered = [];
    this.placeNames = () => {};
  }

  start() {
    const { map } = this;
    addPanes(map);
    for (const [name, level] of [["vm-routes", 380], ["vm-stops", 600]]) map.createPane(name).style.zIndex = level;
    labelRoutesControl(this.frame.control);
    labelZoom(map);
    addCaption(map);
    if (page.basemap) addBasemap(map, page.basemap);
    map.invalidateSize({ animate: false });
    const [west, south, east, north] = page.bbox;
    map.fitBounds([[south, west], [north, east]], { padding: [24, 24], animate: false });
    map.on("zoomend", () => this.settle());
    map.on("moveend", () => this.placeNames(this.covered));
    window.addEventListener("beforeprint", () => this.resize(true));
    window.addEventListener("afterprint", () => this.resize(false));
  }

  drawGround(towns, villages) {
    drawCounty(this.frame.layers.towns, towns);
    drawVillages(this.frame.layers.villages, villages);
    const [far, near] = [L.layerGroup(), L.layerGroup()];
    const place = [drawNames(this.map, far, towns), drawNames(this.map, near, villages)];
    this.placeNames = (covered) => {
      const close = this.map.getZoom() >= NAMES_ZOOM;
      const names = this.frame.layers.names;
      names.removeLayer(close ? far : near).addLayer(close ? near : far);
      place[close ? 1 : 0](covered);
    };
    this.frame.layers.names.on("add", () => this.placeNames(this.covered));
    this.placeNames(this.covered);
  }

  /** Keep each leg's way by its two ends, so that a plan that is only tried finds most of its ways here. */
  keepLegs(legs, view) {
    this.paths.clear();
    for (const { geometry, properties } of legs.features) {
      const route = view.routes.find((each) => each.team === properties.team && each.day === properties.day);
      if (!route || !geometry) continue;
      const ids = view.ids(route);
      const way = geometry.coordinates.map(([lon, lat]) => [lat, lon]);
      this.paths.set(`${ids[properties.order]}>${ids[properties.order + 1]}`, way);
    }
  }

  /** Draw a plan; `filter` is {day, team, key}: 0 and "" are all, `key` the chosen route. */
  draw(view, filter) {
    this.view = view;
    this.filter = filter;
    this.lines.clearLayers();
    this.points.clearLayers();
    const shown = view.routes.filter((route) => (!filter.day || route.day === filter.day) && (!filter.team || route.team === filter.team));
    this.routeLines = shown.map((route) => this.drawLine(route));
    const chosen = this.routeLines.find((line) => line.route.key === filter.key);
    if (chosen) for (const layer of chosen.layers) layer.bringToFront();
    this.marks = shown.flatMap((route) => route.calls.map((_, index) => stopMark(view, route, index)).filter(Boolean));
    const left = filter.key || filter.team ? [] : view.plan.left_out.map(({ stop }) => leftMark(view, stop)).filter(Boolean);
    this.marks.push(...left);
    for (const mark of this.marks) this.addMark(mark, filter);
    const depots = [...new Set(view.teams.flatMap((team) => [team.start, team.end]))].filter((id) => view.at(id));
    for (const id of depots) depotMark(view, id).addTo(this.points);
    this.depots = depots.map((id) => view.at(id));
    this.settle();
    this.map.getContainer().dataset.drawn = "yes";
  }

  drawLine(route) {
    const { view, filter } = this;
    const team = view.byTeam.get(route.team);
    const ids = view.ids(route);
    const legs = ids.slice(1).map((id, order) => this.way(ids[order], id));
    const dimmed = Boolean(filter.key) && filter.key !== route.key;
    const style = { pane: "vm-routes", interactive: false, fill: false, lineJoin: "round", opacity: dimmed ? DIMMED : 1 };
    const casing = L.polyline(legs.map((leg) => leg.points), { ...style, color: "#fff", weight: 7, opacity: dimmed ? 0 : 0.9 });
    const known = legs.filter((leg) => leg.known).map((leg) => leg.points);
    const guessed = legs.filter((leg) => !leg.known).map((leg) => leg.points);
    const line = L.polyline(known, { ...style, color: team.colour, weight: 3.5, dashArray: dayDash(route.day), className: "vm-route-line" });
    const guess = L.polyline(guessed, { ...style, color: team.colour, weight: 2, dashArray: "1 6" });
    const layers = [casing, guess, line];
    for (const layer of layers) layer.addTo(this.lines);
    return { route, legs, layers, dimmed };
  }

  /** The way between two ids: as it was answered, else a straight line that says it is none. */
  way(from, to) {
    const known = this.paths.get(`${from}>${to}`);
    if (known) return { points: known, known: true };
    return { points: [this.view.at(from), this.view.at(to)].filter(Boolean), known: false };
  }

  addMark(mark, filter) {
    const dimmed = Boolean(filter.key) && filter.key !== mark.key;
    mark.node.classList.toggle("vm-dimmed", dimmed);
    mark.dimmed = dimmed;
    mark.marker.addTo(this.points);
    mark.marker.on("click", () => this.acts.open(mark.stop));
    if (!dimmed) this.acts.draggable(mark);
  }

  /** Numbers, dots and names find their places at this zoom. */
  settle() {
    if (!this.view) return;
    for (const mark of this.marks) if (mark.dimmed) mark.node.classList.add("vm-dot");
    this.covered = declutterStops(this.map, this.marks.filter((mark) => !mark.dimmed), this.filter.key, this.depots);
    this.placeNames(this.covered);
  }

  /** Show the whole of the routes that are drawn. */
  fit(key = "") {
    const points = this.routeLines.filter(({ route }) => !key || route.key === key).flatMap(({ legs }) => legs.flatMap((leg) => leg.points));
    if (points.length) this.map.fitBounds(L.latLngBounds(points), { padding: [28, 28], animate: false });
  }

  flash(stop) {
    for (const mark of this.marks) mark.node.classList.toggle("vm-here", mark.stop === stop);
    const at = this.view.at(stop);
    if (at && !this.map.getBounds().pad(-0.05).contains(at)) this.map.panTo(at, { animate: false });
  }

  /** On paper the map has another size than on the screen. */
  resize(printing) {
    if (printing) this.seen = { middle: this.map.getCenter(), zoom: this.map.getZoom() };
    document.body.classList.toggle("vm-printing", printing);
    this.map.invalidateSize({ animate: false });
    if (printing) this.fit(this.filter.key);
    else this.map.setView(this.seen.middle, this.seen.zoom, { animate: false });
  }
}

/** Give Folium's layer control our words; its own names are constants. */
function labelRoutesControl(control) {
  const addItem = control._addItem;
  control._addItem = function addLabelledItem(item) {
    const row = addItem.call(this, item);
    row.querySelector("span span").replaceChildren(placeLayerName(item.name));
    return row;
  };
  control._update();
  labelToggle(control);
}

// Dragging a stop: on the map onto another line or stop, in the list to another place.
import { element, say } from "./page.js";
import { shortDay } from "./route-looks.js";

const REACH = 32;
const ON_MARK = 14;
const EDGE = 56;
const SCROLL = 18;

/** Pixels from a point to a segment. */
function toSegment(p, a, b) {
  const [x, y] = [b.x - a.x, b.y - a.y];
  const share = Math.max(0, Math.min(1, ((p.x - a.x) * x + (p.y - a.y) * y) / (x * x + y * y || 1)));
  return Math.hypot(p.x - a.x - share * x, p.y - a.y - share * y);
}

function toWay(map, p, points) {
  const pixels = points.map((at) => map.latLngToLayerPoint(at));
  let best = Infinity;
  for (let index = 1; index < pixels.length; index += 1) best = Math.min(best, toSegment(p, pixels[index - 1], pixels[index]));
  return best;
}

/** How much longer a leg gets, in pixels of straight line, when it goes by this point. */
function detour(map, p, points) {
  const [a, b] = [map.latLngToLayerPoint(points[0]), map.latLngToLayerPoint(points.at(-1))];
  return p.distanceTo(a) + p.distanceTo(b) - a.distanceTo(b);
}

/** The route of the mark under a point, which is meant whatever line lies nearer; "" where there is none. */
function keyUnder(routesOnMap, p, stop) {
  const under = routesOnMap.marks.find((mark) => mark.stop !== stop && !mark.dimmed && mark.key && p.distanceTo(routesOnMap.map.latLngToLayerPoint(mark.marker.getLatLng())) <= ON_MARK);
  return under?.key ?? "";
}

/** The leg under a point on which the stop would lie best; null where none is near. */
function legUnder(routesOnMap, p, stop) {
  const near = [];
  const meant = keyUnder(routesOnMap, p, stop);
  for (const { route, legs, dimmed } of routesOnMap.routeLines) {
    if (dimmed || (meant && meant !== route.key)) continue;
    const own = route.calls.findIndex((call) => call.stop === stop);
    legs.forEach(({ points }, order) => {
      if (points.length < 2 || (own >= 0 && (order === own || order === own + 1))) return;
      const away = toWay(routesOnMap.map, p, points);
      if (away <= REACH) near.push({ route, order, points, after: own >= 0 && order > own ? order - 1 : order, cost: away + detour(routesOnMap.map, p, points) });
    });
  }
  return near.sort((a, b) => a.cost - b.cost)[0] ?? null;
}

/** Let a mark be dragged; dropped near a line it goes there, elsewhere it goes back. */
export function dragMark(desk, mark) {
  if (!desk.editable() || desk.view.where.get(mark.stop)?.route.calls[mark.index]?.done) return;
  const { marker } = mark;
  const { map } = desk.onMap;
  const home = marker.getLatLng();
  let target = null;
  let preview = null;
  const tip = L.tooltip({ direction: "top", offset: [0, -14], className: "vm-drag-tip" });
  marker.options.draggable = true;
  marker.dragging?.enable();
  marker.on("dragstart", () => {
    map.closePopup();
    mark.node.classList.remove("vm-dot");
    mark.node.classList.add("vm-dragged");
  });
  marker.on("drag", () => {
    target = legUnder(desk.onMap, map.latLngToLayerPoint(marker.getLatLng()), mark.stop);
    preview?.remove();
    if (!target) {
      tip.remove();
      return;
    }
    const ends = [target.points[0], marker.getLatLng(), target.points.at(-1)];
    preview = L.polyline(ends, { pane: "vm-routes", color: "#111827", weight: 2.5, dashArray: "4 5", interactive: false }).addTo(map);
    const team = desk.view.byTeam.get(target.route.team);
    const words = say("drop_here", { team: team.name, day: shortDay(desk.view.problem, target.route.day), number: target.after + 1 });
    tip.setLatLng(marker.getLatLng()).setContent(element("span", {}, words)).addTo(map);
  });
  marker.on("dragend", () => {
    preview?.remove();
    tip.remove();
    mark.node.classList.remove("vm-dragged");
    marker.setLatLng(home);
    if (target) desk.move({ stop: mark.stop, team: target.route.team, day: target.route.day, after: target.after });
    else desk.onMap.settle();
    target = null;
  });
}

/** The place in the list under the pointer: a row's upper or lower half, or a shift without calls. */
function placeUnder(event, stop) {
  const found = document.elementFromPoint(event.clientX, event.clientY);
  const empty = found?.closest("[data-shift]");
  if (empty) return { node: empty, key: empty.dataset.shift, after: 0 };
  const row = found?.closest("tr");
  const card = row?.closest("[data-key]");
  if (!row || !card) return null;
  const rows = [...card.querySelectorAll("tr[data-stop]")].filter((each) => each.dataset.stop !== stop);
  const box = row.getBoundingClientRect();
  const below = event.clientY > box.top + box.height / 2;
  const later = (each) => Boolean(row.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) || (each === row && !below);
  const index = rows.findIndex(later);
  return { node: row, below, key: card.dataset.key, after: index < 0 ? rows.length : index };
}

/** Let rows be dragged by their grips, with mouse or finger. */
export function dragRows(panel, desk) {
  panel.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest(".vm-grip");
    if (!grip || event.button > 0 || !desk.editable()) return;
    event.preventDefault();
    const row = grip.closest("tr");
    const { stop } = row.dataset;
    let target = null;
    row.classList.add("vm-lifted");
    const clear = () => {
      for (const node of panel.querySelectorAll(".vm-above, .vm-below, .vm-into")) node.classList.remove("vm-above", "vm-below", "vm-into");
    };
    const moved = (at) => {
      clear();
      if (at.clientY < EDGE) window.scrollBy(0, -SCROLL);
      if (at.clientY > window.innerHeight - EDGE) window.scrollBy(0, SCROLL);
      target = placeUnder(at, stop);
      target?.node.classList.add(target.node.tagName === "TR" ? (target.below ? "vm-below" : "vm-above") : "vm-into");
    };
    const ended = (at) => {
      clear();
      row.classList.remove("vm-lifted");
      grip.removeEventListener("pointermove", moved);
      for (const name of ["pointerup", "pointercancel"]) grip.removeEventListener(name, ended);
      if (!target || at.type === "pointercancel") return;
      const [day, team] = target.key.split(/\|(.*)/s);
      const now = desk.view.where.get(stop);
      if (now.route.key === target.key && now.index === target.after) return;
      desk.move({ stop, team, day: Number(day), after: target.after });
    };
    grip.setPointerCapture(event.pointerId);
    grip.addEventListener("pointermove", moved);
    for (const name of ["pointerup", "pointercancel"]) grip.addEventListener(name, ended);
  });
}

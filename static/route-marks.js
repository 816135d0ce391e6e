// Marks of a route map: numbered stops in their team's colour, stops left out, depots; small dots where they would touch.
import { element, say } from "./page.js";
import { clock } from "./route-looks.js";

const MARK_HEIGHT = 20;
const HOUSE = "M12 3 22 11.5H19V21H14.5V15H9.5V21H5V11.5H2Z";

/** A stop of a route: the team's letter and the stop's number on the team's colour. */
export function stopMark(view, route, index) {
  const call = route.calls[index];
  const team = view.byTeam.get(route.team);
  const at = view.at(call.stop);
  if (!at) return null;
  const node = element("span", { class: "vm-stop" }, element("b", {}, `${team.letter}${index + 1}`));
  node.style.backgroundColor = team.colour;
  if (view.locks.has(call.stop)) node.classList.add("vm-locked");
  if (call.done) node.classList.add("vm-done");
  const icon = new L.DivIcon({ className: "vm-stop-icon", iconSize: null, html: node });
  const title = say("mark_title", { team: team.name, number: index + 1, name: view.name(call.stop), time: clock(call.begin_s) });
  const marker = L.marker(at, { icon, pane: "vm-stops", keyboard: false, title, riseOnHover: true });
  return { marker, node, stop: call.stop, key: route.key, index, width: 12 + 8 * node.textContent.length };
}

/** A stop that isn't in the plan. */
export function leftMark(view, id) {
  const at = view.at(id);
  if (!at) return null;
  const node = element("span", { class: "vm-stop vm-left" }, element("b", {}, "\u00d7"));
  const icon = new L.DivIcon({ className: "vm-stop-icon", iconSize: null, html: node });
  const marker = L.marker(at, { icon, pane: "vm-stops", keyboard: false, title: say("left_title", { name: view.name(id) }) });
  return { marker, node, stop: id, key: "", index: 0, width: 20 };
}

/** Where teams start and end. */
export function depotMark(view, id) {
  const at = view.at(id);
  if (!at) return null;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", HOUSE);
  svg.append(path);
  const node = element("span", { class: "vm-depot" }, svg, element("span", {}, view.name(id)));
  const icon = new L.DivIcon({ className: "vm-stop-icon", iconSize: null, html: node });
  return L.marker(at, { icon, pane: "vm-stops", keyboard: false, interactive: false, zIndexOffset: -500 });
}

/** Show as many numbers as fit; the rest become dots. Those of the chosen route come first, then first and last stops. */
export function declutterStops(map, marks, chosenKey, depots = []) {
  const rank = (mark) => (mark.key === chosenKey ? 0 : 2) + (mark.index === 0 ? 0 : 1);
  const placed = depots.map((at) => {
    const { x, y } = map.latLngToLayerPoint(at);
    return { left: x - 14, right: x + 14, top: y - 14, bottom: y + 14 };
  });
  for (const mark of [...marks].sort((a, b) => rank(a) - rank(b))) {
    const { x, y } = map.latLngToLayerPoint(mark.marker.getLatLng());
    const [wide, high] = [mark.width / 2, MARK_HEIGHT / 2];
    const box = { left: x - wide, right: x + wide, top: y - high, bottom: y + high };
    const free = !placed.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom);
    mark.node.classList.toggle("vm-dot", !free);
    mark.marker.setZIndexOffset(free ? 1000 + (mark.key === chosenKey ? 1000 : 0) : 0);
    if (free) placed.push(box);
  }
  return placed;
}

// A lasso on a map: drawn with mouse, pen or finger; arrow keys and Enter draw it by corners.

const LINE = { color: "#111827", weight: 2, dashArray: "6 4", fillColor: "#2166AC", fillOpacity: 0.12, interactive: false };
const STEP = 24;
const KEYS = { ArrowUp: [0, -STEP], ArrowDown: [0, STEP], ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0] };
const LEAST = 3;
const asking = new WeakMap();

/** Let go of what a map is asked for; a new question takes the place of the old one. */
function letGo(map) {
  asking.get(map)?.();
  asking.delete(map);
}

/** Whether a ring of [lon, lat] holds a point: a ray to the east crosses it an odd number of times. */
export function ringHolds(ring, lon, lat) {
  let odd = false;
  for (let index = 0; index < ring.length; index += 1) {
    const [fromX, fromY] = ring[index];
    const [toX, toY] = ring[(index + 1) % ring.length];
    if (fromY > lat !== toY > lat && lon < fromX + ((toX - fromX) * (lat - fromY)) / (toY - fromY)) odd = !odd;
  }
  return odd;
}

/** The ring as a GeoJSON polygon, closed. */
export function ringPolygon(ring) {
  return { type: "Polygon", coordinates: [[...ring, ring[0]]] };
}

/** The cross that keys move, or that stands where Enter points at. */
function crossHair() {
  const cross = document.createElement("span");
  cross.className = "vm-cross";
  cross.setAttribute("aria-hidden", "true");
  cross.style.left = "50%";
  cross.style.top = "50%";
  return cross;
}

/** Let a person draw one ring; answers a promise of it, null where they gave up (Escape, or `cancel` called). */
export function drawRing(map, words) {
  letGo(map);
  const box = map.getContainer();
  const points = [];
  const shape = L.polygon([], LINE).addTo(map);
  const cross = crossHair();
  const said = document.createElement("p");
  said.className = "vm-lasso-said";
  said.setAttribute("role", "status");
  said.textContent = words;
  let settle;
  let drawing = false;
  let cursor = map.getSize().divideBy(2);
  const ended = new Promise((resolve) => { settle = resolve; });

  const add = (at) => {
    points.push(at);
    shape.setLatLngs(points);
  };
  const finish = (ring) => {
    asking.delete(map);
    for (const [name, listener] of Object.entries(listeners)) box.removeEventListener(name, listener, true);
    box.classList.remove("vm-lassoing");
    map.dragging.enable();
    map.keyboard.enable();
    shape.remove();
    cross.remove();
    said.remove();
    settle(ring);
  };
  const close = () => finish(points.length < LEAST ? null : points.map(({ lng, lat }) => [Number(lng.toFixed(6)), Number(lat.toFixed(6))]));
  const moveCross = () => {
    cross.style.left = `${cursor.x}px`;
    cross.style.top = `${cursor.y}px`;
  };
  const listeners = {
    pointerdown(event) {
      if (event.target.closest(".leaflet-control") || event.button > 0) return;
      event.preventDefault();
      event.stopPropagation();
      drawing = true;
      box.setPointerCapture(event.pointerId);
      add(map.mouseEventToLatLng(event));
    },
    pointermove(event) {
      if (!drawing) return;
      event.stopPropagation();
      const at = map.mouseEventToLatLng(event);
      const last = map.latLngToContainerPoint(points.at(-1));
      if (map.latLngToContainerPoint(at).distanceTo(last) > 4) add(at);
    },
    pointerup(event) {
      if (!drawing) return;
      event.stopPropagation();
      drawing = false;
      close();
    },
    click(event) {
      if (!event.target.closest(".leaflet-control")) event.stopPropagation();
    },
    keydown(event) {
      if (event.key === "Escape") finish(null);
      else if (event.key in KEYS) {
        const [x, y] = KEYS[event.key];
        cursor = cursor.add([event.shiftKey ? 4 * x : x, event.shiftKey ? 4 * y : y]);
        moveCross();
      } else if (event.key === " ") add(map.containerPointToLatLng(cursor));
      else if (event.key === "Enter") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
  };
  for (const [name, listener] of Object.entries(listeners)) box.addEventListener(name, listener, true);
  map.dragging.disable();
  map.keyboard.disable();
  map.closePopup();
  box.classList.add("vm-lassoing");
  box.append(cross, said);
  moveCross();
  box.tabIndex = 0;
  box.focus({ preventScroll: true });
  const cancel = () => finish(null);
  asking.set(map, cancel);
  return { ended, cancel };
}

/** Let a person point at one place; answers a promise of [lon, lat], null where they gave up. */
export function pickPoint(map, words) {
  letGo(map);
  const box = map.getContainer();
  const cross = crossHair();
  const said = document.createElement("p");
  said.className = "vm-lasso-said";
  said.setAttribute("role", "status");
  said.textContent = words;
  box.append(cross, said);
  box.classList.add("vm-lassoing", "vm-pointing");
  box.tabIndex = 0;
  box.focus({ preventScroll: true });
  return new Promise((resolve) => {
    const done = (at) => {
      asking.delete(map);
      box.removeEventListener("click", clicked, true);
      box.removeEventListener("keydown", pressed, true);
      box.classList.remove("vm-lassoing", "vm-pointing");
      cross.remove();
      said.remove();
      resolve(at ? [Number(at.lng.toFixed(6)), Number(at.lat.toFixed(6))] : null);
    };
    // Ahead of the marks, which would open: a place may well lie on one.
    const clicked = (event) => {
      if (event.target.closest(".leaflet-control")) return;
      event.stopPropagation();
      if (!map.dragging.moved()) done(map.mouseEventToLatLng(event));
    };
    const pressed = (event) => {
      if (event.key === "Escape") done(null);
      else if (event.key === "Enter") done(map.getCenter());
      else return;
      event.preventDefault();
    };
    asking.set(map, () => done(null));
    box.addEventListener("click", clicked, true);
    box.addEventListener("keydown", pressed, true);
  });
}

// Marks: shape says what, colour and ring say how urgent. Our own paths, 18 units inside a 32-unit box.
import { figure, label, page, say } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const RING = 13.6;

const PATHS = {
  cleanup: "M16 6.2 25.6 23.6H6.4Z",
  livestock: "M16 6 26 16 16 26 6 16Z",
  toilets: "M7.8 7.8H24.2V24.2H7.8Z",
  garbage: "M16 7A9 9 0 1 1 16 25A9 9 0 1 1 16 7Z",
  sewage: "M16 5.4C18.9 9.9 23.4 14.1 23.4 18.8A7.4 7.4 0 0 1 8.6 18.8C8.6 14.1 13.1 9.9 16 5.4Z",
  gardens: "M12.6 7H19.4V12.6H25V19.4H19.4V25H12.6V19.4H7V12.6H12.6Z",
  roads: "M6 11.4H26V20.6H6Z",
  households: "M16 6.4 26 15.2H23.2V25H8.8V15.2H6Z",
  other: "M16 6 24.6 11V21L16 26 7.4 21V11Z",
};

// Fill of the shape, its outline, and how much of the ring is drawn in which colour.
export const LOOKS = {
  overdue: { fill: "#8B0A1A", ring: 1, ringColour: "#8B0A1A", sign: true },
  behind: { fill: "#F2A33A", ring: 0.5, ringColour: "#F2A33A" },
  near: { fill: "#2C7FB8", ring: 0.25, ringColour: "#2C7FB8" },
  in_time: { fill: "#C9CDD3", outline: "#374151", ring: 0 },
  submitted: { fill: "#FFFFFF", outline: "#6B7280", ring: 1, ringColour: "#2C7FB8" },
  closed: { fill: "#FFFFFF", outline: "#1B7837", ring: 0, small: true },
};

/** How far up a mark lies: closed under all others, overdue on top. */
export const STACK = { closed: -4000, in_time: 0, submitted: 400, near: 800, behind: 1200, overdue: 1600 };

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function arc(radius, from, share, attributes) {
  if (share >= 0.9999) return svg("circle", { cx: 16, cy: 16, r: radius, fill: "none", ...attributes });
  const point = (turn) => {
    const angle = 2 * Math.PI * turn - Math.PI / 2;
    return `${(16 + radius * Math.cos(angle)).toFixed(3)} ${(16 + radius * Math.sin(angle)).toFixed(3)}`;
  };
  const wide = share > 0.5 ? 1 : 0;
  const path = `M${point(from)}A${radius} ${radius} 0 ${wide} 1 ${point(from + share)}`;
  return svg("path", { d: path, fill: "none", ...attributes });
}

/** The mark of one issue as SVG; `hatched` says that an interim measure or a deferral stands. */
export function issueMark(shape, urgency, hatched = false) {
  const look = LOOKS[urgency] ?? LOOKS.in_time;
  const path = PATHS[shape] ?? PATHS.other;
  const mark = svg("svg", { viewBox: "0 0 32 32", class: "vm-mark-svg", "aria-hidden": "true", focusable: "false" });
  const body = svg("g", look.small ? { transform: "translate(16 16) scale(.62) translate(-16 -16)" } : {});
  if (look.ring) {
    mark.append(arc(RING, 0, look.ring, { stroke: "#fff", "stroke-width": 4.6 }));
    mark.append(arc(RING, 0, look.ring, { stroke: look.ringColour, "stroke-width": 2.4 }));
  }
  body.append(svg("path", { d: path, fill: "#fff", stroke: "#fff", "stroke-width": 4.4, "stroke-linejoin": "round" }));
  body.append(svg("path", { d: path, fill: look.fill }));
  if (hatched) body.append(svg("path", { d: path, fill: "url(#vm-hatch)" }));
  const outline = look.outline ?? (hatched ? "#374151" : null);
  if (outline) {
    const width = look.small ? 3.6 : 1.7;
    body.append(svg("path", { d: path, fill: "none", stroke: outline, "stroke-width": width, "stroke-linejoin": "round" }));
  }
  if (look.sign) {
    const lift = shape === "cleanup" ? 1.4 : 0;
    const [top, end, dot, width] = shape === "roads" ? [13.4, 15.7, 18.5, 1.7] : [12.4, 16.4, 19.7, 2.3];
    const strokes = `M16 ${top + lift}V${end + lift}M16 ${dot + lift}V${dot + lift + 0.1}`;
    body.append(svg("path", { d: strokes, stroke: "#fff", "stroke-width": width, "stroke-linecap": "round" }));
  }
  mark.append(body);
  return mark;
}

/** A shape alone, in a neutral grey: what legend and layer control show. */
export function shapeMark(shape) {
  const mark = svg("svg", { viewBox: "0 0 32 32", class: "vm-swatch", "aria-hidden": "true" });
  mark.append(svg("path", { d: PATHS[shape] ?? PATHS.other, fill: "#4B5563" }));
  return mark;
}

/** Pixels across a cluster of `count` issues: by square root, so that its area tells the count. */
export function clusterSize(count) {
  return Math.round(Math.min(68, 26 + 2.1 * Math.sqrt(count)));
}

/** A cluster: arcs by urgency, the count in the middle. */
export function clusterMark(count, byUrgency) {
  const mark = svg("svg", { viewBox: "0 0 32 32", class: "vm-cluster-svg", "aria-hidden": "true" });
  mark.append(svg("circle", { cx: 16, cy: 16, r: 15.6, fill: "#fff" }));
  const total = byUrgency.reduce((sum, part) => sum + part, 0) || 1;
  let from = 0;
  page.urgencies.forEach((urgency, index) => {
    const share = (byUrgency[index] ?? 0) / total;
    if (share > 0) {
      const colour = urgency === "closed" ? "#1B7837" : LOOKS[urgency].fill;
      mark.append(arc(13, from, share, { stroke: colour, "stroke-width": 3.6 }));
    }
    from += share;
  });
  for (const radius of [11.1, 14.9]) {
    mark.append(svg("circle", { cx: 16, cy: 16, r: radius, fill: "none", stroke: "#4B5563", "stroke-width": 0.5 }));
  }
  return mark;
}

/** The text of a cluster for ears and for pointing: how many of which urgency. */
export function clusterWords(count, byUrgency) {
  const parts = page.urgencies.map((urgency, index) => [urgency, byUrgency[index] ?? 0]).filter((part) => part[1]);
  const list = parts.map(([urgency, n]) => `${label("urgencies", urgency)} ${figure(n)}`).join(say("comma"));
  return say("cluster_words", { count: figure(count), list });
}

/** Put the hatch pattern that marks refer to into the document once. */
export function addHatch() {
  const pattern = svg("pattern", {
    id: "vm-hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
  });
  pattern.append(svg("rect", { width: 2, height: 5, fill: "#fff" }));
  pattern.append(svg("rect", { x: 2, width: 0.7, height: 5, fill: "#111827" }));
  document.body.append(svg("svg", { class: "vm-defs", "aria-hidden": "true" }, svg("defs", {}, pattern)));
}

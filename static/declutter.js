// What of the tiles' answers is drawn: marks that would cover each other become one cluster.
import { page } from "./page.js";
import { clusterSize } from "./marks.js";

const MARK_RADIUS = 13;
const ROUNDS = 4;

function radius(mark) {
  return mark.feature ? MARK_RADIUS : clusterSize(mark.count) / 2;
}

function touch(a, b) {
  const reach = a.feature && b.feature ? MARK_RADIUS * 1.2 : (radius(a) + radius(b)) * 0.85;
  return (a.x - b.x) ** 2 + (a.y - b.y) ** 2 < reach ** 2;
}

function absorb(kept, other) {
  const count = kept.count + other.count;
  for (const axis of ["x", "y", "lon", "lat"]) kept[axis] = (kept[axis] * kept.count + other[axis] * other.count) / count;
  kept.byUrgency = kept.byUrgency.map((part, index) => part + (other.byUrgency[index] ?? 0));
  kept.count = count;
  kept.feature = null;
}

function merge(marks) {
  const kept = [];
  for (const mark of marks.sort((a, b) => b.count - a.count)) {
    const near = kept.find((other) => touch(other, mark));
    if (near) absorb(near, mark);
    else kept.push(mark);
  }
  return kept;
}

/** Marks of all answers on one viewport: `{x, y, lon, lat, count, byUrgency, feature}`, none hiding another. */
export function declutter(answers, project) {
  let marks = [];
  for (const { clusters = [], features = [] } of answers) {
    for (const [lon, lat, count, byUrgency] of clusters) {
      const { x, y } = project(lat, lon);
      marks.push({ x, y, lon, lat, count, byUrgency: page.urgencies.map((_, i) => byUrgency[i] ?? 0), feature: null });
    }
    for (const feature of features) {
      const [, lon, lat, , urgency] = feature;
      const { x, y } = project(lat, lon);
      marks.push({ x, y, lon, lat, count: 1, byUrgency: page.urgencies.map((code) => Number(code === urgency)), feature });
    }
  }
  for (let round = 0, before = Infinity; round < ROUNDS && marks.length < before; round += 1) {
    before = marks.length;
    marks = merge(marks);
  }
  return marks;
}

// Where a self-contained page gets its data: from itself, gridded here into the same answers as the server's tiles.
import { category, page } from "./page.js";
import { isHatched } from "./popup.js";

const CELLS = 8;
const FINE_CELLS = 32;
const FINE_ZOOM = 17;
const SINGLES = 3;

/** Web-Mercator position as shares of the world's width and height. */
function onWorld(lon, lat) {
  const sine = Math.sin((lat * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

function cardPoint(card) {
  const [x, y] = onWorld(card.lon, card.lat);
  const byUrgency = page.urgencies.map((urgency) => Number(urgency === card.urgency));
  return { x, y, lon: card.lon, lat: card.lat, count: 1, byUrgency, card, group: category(card.category).group };
}

function clusterPoint([lon, lat, count, byUrgency], group) {
  const [x, y] = onWorld(lon, lat);
  return { x, y, lon, lat, count, byUrgency, card: null, group };
}

function merged(points) {
  const count = points.reduce((sum, each) => sum + each.count, 0);
  const mean = (axis) => points.reduce((sum, each) => sum + each[axis] * each.count, 0) / count;
  const byUrgency = page.urgencies.map((_, i) => points.reduce((sum, each) => sum + (each.byUrgency[i] ?? 0), 0));
  return [mean("lon"), mean("lat"), count, byUrgency];
}

export class InlineSource {
  constructor(town) {
    this.town = town;
    this.cards = new Map(town.cards.map((card) => [card.id, card]));
    const placed = town.cards.filter((card) => Number.isFinite(card.lon) && Number.isFinite(card.lat));
    const clusters = Object.entries(town.clusters ?? {});
    this.points = [
      ...placed.map(cardPoint),
      ...clusters.flatMap(([group, list]) => list.map((cluster) => clusterPoint(cluster, group))),
    ];
  }

  async boundary() {
    return this.town.boundary;
  }

  async villages() {
    return this.town.villages;
  }

  async neighbours() {
    return this.town.neighbours ?? { type: "FeatureCollection", features: [] };
  }

  async tile(z, x, y, categories) {
    const wanted = categories ? new Set(categories.map((code) => category(code).group)) : null;
    const size = 2 ** z;
    const cells = z >= FINE_ZOOM ? FINE_CELLS : CELLS;
    const grid = new Map();
    for (const point of this.points) {
      const [column, row] = [point.x * size - x, point.y * size - y];
      if (column < 0 || column >= 1 || row < 0 || row >= 1 || (wanted && !wanted.has(point.group))) continue;
      const cell = Math.floor(column * cells) * cells + Math.floor(row * cells);
      if (grid.has(cell)) grid.get(cell).push(point);
      else grid.set(cell, [point]);
    }
    return this.answer([...grid.values()], z >= FINE_ZOOM ? 1 : SINGLES);
  }

  answer(cells, singles) {
    const clusters = [];
    const features = [];
    const shapes = {};
    for (const points of cells) {
      if (points.length > singles || points.some((point) => !point.card)) {
        clusters.push(merged(points));
        continue;
      }
      for (const { card } of points) {
        features.push([card.id, card.lon, card.lat, card.category, card.urgency, isHatched(card)]);
        if (card.geometry && card.geometry.type !== "Point") shapes[card.id] = card.geometry;
      }
    }
    return { clusters, features, shapes };
  }

  async card(id) {
    return this.cards.get(id);
  }

  async inside(bounds) {
    return this.points.filter((point) => point.card && bounds.contains([point.lat, point.lon])).slice(0, 50).map((point) => point.card);
  }
}
